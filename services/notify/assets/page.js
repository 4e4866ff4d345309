// Tries a channel out: joins it by a token through one of the three doors, shows what comes, and what a lost connection
// costs. What it knows of the server is in proto/notify.md. Data is shown as text, and kept nowhere but in this page.

const base = new URL("./", location.href);

/** Most entries of the log. */
const ENTRIES = 500;
/** How times are shown. */
const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" };
/** How long it stays away after a cut, in milliseconds: time to publish something. */
const AWAY = 3000;
/** The shortest and the longest wait before it connects again by itself. */
const [SHORTEST, LONGEST] = [500, 15_000];

const $ = (id) => document.getElementById(id);

/**
 * Each door takes a token and the place to resume from, and tells what happens by `on`: joined, message, lost,
 * present, over (with the problem, when it was refused), closed (come again). It gives a function that cuts it.
 */
const doors = {
  websocket(request, on) {
    const socket = open("ws");
    socket.onopen = () => socket.send(JSON.stringify({ type: "subscribe", id: 1, ...request }));
    socket.onmessage = ({ data }) => tell(JSON.parse(data), on);
    socket.onclose = ({ code, reason }) => (code === 4401 ? on.over({ detail: reason }) : on.closed(reason || `code ${code}`));
    return () => leave(socket);
  },

  events({ token, ...place }, on) {
    const cut = new AbortController();
    const url = new URL("sse", base);
    for (const [name, value] of Object.entries(place)) url.searchParams.set(name, value);
    follow(url, token, cut.signal, on).catch(() => {}).finally(() => cut.signal.aborted || on.closed("the stream ended"));
    return () => cut.abort();
  },

  // Engine.IO 4 and Socket.IO 5, as much of them as one websocket and one event need.
  socketio(request, on) {
    const socket = open("../../socket.io/?EIO=4&transport=websocket");
    let patience;
    let alive;
    const heard = () => {
      clearTimeout(alive);
      alive = setTimeout(() => socket.close(), patience);
    };
    const packets = {
      0: (text) => {
        const { pingInterval, pingTimeout } = JSON.parse(text);
        patience = pingInterval + pingTimeout;
        heard();
        socket.send("40");
      },
      2: () => {
        heard();
        socket.send("3");
      },
      40: () => socket.send(`420${JSON.stringify(["join_channel", { ...request, meta: true }])}`),
      41: () => on.over({ detail: "disconnected by the server" }),
      42: (text) => event(...JSON.parse(text)),
      430: (text) => {
        const [answer] = JSON.parse(text);
        if (answer.error) on.over(answer.error);
        else on.joined(answer);
      },
    };
    const event = (name, argument, meta) => {
      if (name === "message") on.message({ ...meta, data: argument });
      else if (name === "presence") on.present(argument);
      else if (argument.reason) on.over({ detail: argument.reason });
      else if (argument.recovered === false && argument.data.startsWith("Messages lost")) on.lost(argument);
    };
    socket.onmessage = ({ data }) => {
      const [type] = /^(430|4[0-9]|[0-9])/.exec(data) ?? [];
      packets[type]?.(data.slice(type.length));
    };
    socket.onclose = ({ code, reason }) => {
      clearTimeout(alive);
      on.closed(reason || `code ${code}`);
    };
    return () => {
      clearTimeout(alive);
      leave(socket);
    };
  },
};

function open(path) {
  const url = new URL(path, base);
  url.protocol = url.protocol.replace("http", "ws");
  return new WebSocket(url);
}

function leave(socket) {
  socket.onopen = socket.onmessage = socket.onclose = null;
  socket.close();
}

/** Tells what a frame says: those of the websocket and the events of the stream are the same. */
function tell(frame, on) {
  const { type } = frame;
  if (type === "subscribed") on.joined(frame);
  else if (type === "message") on.message(frame);
  else if (type === "lost") on.lost(frame);
  else if (type === "presence") on.present(frame);
  else if (type === "refused") on.over(frame.problem);
  else if (type === "ended" && frame.reason !== "slow") on.over({ detail: frame.reason });
}

/** Reads an event stream. Not by EventSource: that takes its token in the address only, and does not tell a status. */
async function follow(url, token, signal, on) {
  const response = await fetch(url, { headers: { Authorization: `Bearer ${token}` }, cache: "no-store", signal });
  if (!response.ok) {
    on.over(await response.json());
    return;
  }
  let text = "";
  for (const reader = response.body.pipeThrough(new TextDecoderStream()).getReader(); ; ) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (text + value).split("\n\n");
    text = blocks.pop();
    for (const data of blocks.map((block) => /^data: (.*)$/m.exec(block)).filter(Boolean)) tell(JSON.parse(data[1]), on);
  }
}

/** A client in a channel, which comes back by itself. */
const client = {
  request: undefined,
  place: undefined,
  /** Cuts the connection of now; none while it waits. */
  cut: undefined,
  timer: undefined,
  failures: 0,
  /** Where the channel stood when it came back, until it is there. */
  goal: undefined,

  start(door, token) {
    this.stop();
    Object.assign(this, { door, token, place: undefined, failures: 0 });
    $("received").textContent = $("replayed").textContent = "0";
    this.connect();
  },

  stop() {
    clearTimeout(this.timer);
    this.cut?.();
    this.cut = undefined;
    show("off", "not connected");
  },

  connect() {
    show("waiting", "connecting …");
    this.cut = doors[this.door]({ token: this.token, presence: true, ...this.place }, {
      joined: (answer) => this.joined(answer),
      message: (message) => this.message(message),
      lost: ({ offset, epoch }) => {
        this.place = { offset, epoch };
        note("lost", `notifications up to offset ${offset} are lost: refetch what you show`);
      },
      present: ({ count }) => ($("present").textContent = count),
      over: (problem) => {
        if (problem.status >= 500 || problem.status === 429) {
          this.cut();
          this.again(problem.title);
          return;
        }
        this.stop();
        show("refused", "refused");
        note("lost", `not in the channel: ${problem.detail ?? problem.title}`);
      },
      closed: (why) => this.again(`connection lost (${why})`),
    });
  },

  again(why, wait = Math.min(LONGEST, SHORTEST * 2 ** this.failures) * (0.5 + Math.random() / 2)) {
    this.failures += 1;
    this.cut = undefined;
    const seconds = (wait / 1000).toFixed(1);
    note("note", `${why}: coming back in ${seconds} s`);
    show("waiting", `back in ${seconds} s`);
    this.timer = setTimeout(() => this.connect(), wait);
  },

  joined({ channel, offset, epoch, recovered }) {
    this.failures = 0;
    show("on", "connected");
    $("channel").textContent = channel;
    if (!this.place) {
      note("note", `joined ${channel} at offset ${offset}`);
    } else if (!recovered) {
      note("lost", `history no longer reaches back: refetch what you show; going on at offset ${offset}`);
    } else {
      this.goal = { offset, missed: offset - this.place.offset };
      this.arrive(this.place.offset);
      return;
    }
    this.place = { offset, epoch };
    $("offset").textContent = offset;
  },

  arrive(offset) {
    if (this.goal && offset >= this.goal.offset) {
      const { missed } = this.goal;
      const were = missed === 1 ? "notification" : "notifications";
      note("resumed", `resumed at offset ${offset}, ${missed} missed ${were} replayed`);
      this.goal = undefined;
    }
  },

  message({ id, offset, epoch, at, data }) {
    const missed = this.goal !== undefined && offset !== undefined;
    entry(missed ? "missed" : "", at, [
      ["offset", offset === undefined ? "volatile" : `#${offset}`],
      ["data", JSON.stringify(data)],
      ["id", id],
    ]);
    count("received");
    if (missed) count("replayed");
    if (offset === undefined) return;
    this.place = { offset, epoch };
    $("offset").textContent = offset;
    this.arrive(offset);
  },
};

function show(state, text) {
  Object.assign($("state"), { textContent: text }).dataset.state = state;
  const connected = state === "on" || state === "waiting";
  $("connect").textContent = connected ? "Disconnect" : "Connect";
  $("cut").disabled = state !== "on";
}

function count(id) {
  $(id).textContent = Number($(id).textContent) + 1;
}

const note = (kind, text) => entry(`note ${kind}`, Date.now(), [["data", text]]);

function entry(kind, at, parts) {
  const log = $("log");
  const followed = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const time = document.createElement("time");
  time.dateTime = new Date(at).toISOString();
  time.textContent = new Date(at).toLocaleTimeString([], CLOCK);
  const spans = parts.map(([name, text]) => Object.assign(document.createElement("span"), { className: name, textContent: text }));
  const item = Object.assign(document.createElement("li"), { className: kind.trim() });
  item.append(time, ...spans);
  log.append(item);
  while (log.childElementCount > ENTRIES) log.firstElementChild.remove();
  if (followed) log.scrollTop = log.scrollHeight;
}

$("client").addEventListener("submit", (event) => {
  event.preventDefault();
  if (["on", "waiting"].includes($("state").dataset.state)) client.stop();
  else client.start(event.target.elements.door.value, $("token").value.trim());
});

$("cut").addEventListener("click", () => {
  client.cut();
  client.again("connection cut", AWAY);
});

$("clear").addEventListener("click", () => $("log").replaceChildren());

/** Calls the server as a back-end does. */
async function call(path, body) {
  const headers = { Authorization: `Bearer ${$("key").value.trim()}`, "Content-Type": "application/json" };
  const response = await fetch(new URL(path, base), { method: "POST", headers, body: JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.detail ?? answer.title);
  return answer;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const acts = {
  async make() {
    const member = $("member").value.trim();
    const { token } = await call("tokens", { channel: $("name").value, label: "try-out page", ...(member && { member }) });
    $("token").value = token;
    return "made a token: it is in its field";
  },
  async publish() {
    const { offset, reached } = await call("messages", { channel: $("name").value, data: parse($("data").value) });
    return `published at offset ${offset}; ${reached} here to hear it`;
  },
};

$("backend").addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = $("answer");
  try {
    answer.textContent = await acts[event.submitter.value]();
    answer.className = "";
  } catch (error) {
    answer.textContent = error.message;
    answer.className = "bad";
  }
});
