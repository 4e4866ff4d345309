// A notification server without history: npm's socket.io, or npm's ws. One argument, JSON: {"kind": "socket.io" | "ws",
// "port": number}. Subscribers join the channel "bench"; `POST /publish?count=N` sends its body, JSON, to all N times.
import { createServer } from "node:http";
import { Server } from "socket.io";
import { WebSocketServer } from "ws";

const { kind, port } = JSON.parse(process.argv[2]);
let publish;

const http = createServer((request, response) => {
  const url = new URL(request.url, "http://localhost");
  if (request.method !== "POST" || url.pathname !== "/publish") {
    response.writeHead(404, { "content-length": 0 }).end();
    return;
  }
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const message = JSON.parse(Buffer.concat(parts).toString());
    const count = Number(url.searchParams.get("count") ?? 1);
    for (let sent = 0; sent < count; sent += 1) publish(message);
    const body = JSON.stringify({ success: true });
    response.writeHead(200, { "content-type": "application/json", "content-length": body.length }).end(body);
  });
});

if (kind === "socket.io") {
  const io = new Server(http, { transports: ["websocket"] });
  io.on("connection", (socket) => {
    socket.on("join", (channel) => {
      socket.join(channel);
      socket.emit("joined");
    });
  });
  publish = (message) => io.to("bench").emit("message", message);
} else {
  const server = new WebSocketServer({ server: http });
  const members = new Set();
  server.on("connection", (socket) => {
    socket.on("message", () => {
      members.add(socket);
      socket.send("joined");
    });
    socket.on("close", () => members.delete(socket));
  });
  publish = (message) => {
    const text = Buffer.from(JSON.stringify(message));
    for (const member of members) member.send(text, { binary: false });
  };
}

http.listen({ port, host: "127.0.0.1", backlog: 2048 });
