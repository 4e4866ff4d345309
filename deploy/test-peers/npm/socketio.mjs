// A client of Socket.IO that is not ours, on socket.io-client: node socketio.mjs '{"do":"listen", ...}'.
//
// Task: client (4 or 3: the major version), url, transports, and
//   do "listen": token                  joins a channel of ChannelAPI again whenever it is connected, from the last offset
//   do "talk": namespace, auth, count   sends everything that the application for conformance suites answers
//
// Prints one line of JSON for each thing that happens, until it is killed. Octets are shown as { hex }.
import { io as io4 } from "socket.io-client";
import { io as io3 } from "socket.io-client-3";

const task = JSON.parse(process.argv[2]);
const io = { 4: io4, 3: io3 }[task.client];
const say = (event, more) => console.log(JSON.stringify({ event, ...more }));

function shown(value) {
  if (ArrayBuffer.isView(value)) return { hex: Buffer.from(value).toString("hex") };
  if (Array.isArray(value)) return value.map(shown);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, shown(part)]));
}

const socket = io(task.url + (task.namespace ?? "/"), {
  transports: task.transports,
  auth: task.auth,
  forceNew: true,
  reconnectionDelay: 50,
  reconnectionDelayMax: 200,
});
const transport = () => socket.io.engine.transport.name;
const settled = () => say("settled", { transport: transport() });

socket.io.on("open", () => {
  // An engine each time that it connects.
  if (task.transports.at(-1) === transport()) settled();
  else socket.io.engine.once("upgrade", settled);
});
socket.on("connect", () => say("connect", { transport: transport() }));
socket.on("disconnect", (reason) => say("disconnect", { reason }));
socket.on("connect_error", ({ message, data }) => say("connect_error", { message, data }));

function listen({ token }) {
  let place = { meta: true };
  socket.on("connect", () => {
    socket.emit("join_channel", { token, ...place }, (answer) => say("joined", { answer }));
  });
  socket.on("clientevent", (told) => {
    say("clientevent", { told });
    if (told.recovered !== undefined && !("offset" in place)) place = { offset: told.offset, epoch: told.epoch };
  });
  socket.on("message", (data, { offset, epoch }) => {
    place = { offset, epoch };
    say("message", { data, offset, transport: transport() });
  });
}

function talk({ count }) {
  const order = [];
  const back = (...args) => {
    if (args[0]?.number === undefined) return say("back", { args: shown(args) });
    order.push(args[0].number);
    if (order.length === count) say("counted", { ordered: order.every((number, at) => number === at) });
  };
  socket.on("message-back", back);
  socket.on("back", back);
  socket.on("auth", (auth) => say("auth", { auth }));
  socket.on("question", (...args) => {
    const answer = args.pop();
    answer(...args.reverse());
  });
  socket.once("connect", () => {
    const args = [1, "2", { 3: [true, Buffer.of(4, 5, 6)] }, Buffer.of(1, 2, 3)];
    socket.emit("message", ...args);
    socket.emit("message-with-ack", ...args, (...answer) => say("acknowledged", { args: shown(answer) }));
    for (let number = 0; number < count; number += 1) socket.emit("message", { number });
  });
}

({ listen, talk })[task.do](task);
