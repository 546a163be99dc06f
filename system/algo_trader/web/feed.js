// A WebSocket that comes back: the waits grow, and silence counts as a lost connection.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

/** Keep a WebSocket of this service open and hand on each document that it sends. */
export class Feed {
  /** `on` holds opened(), document(value) and lost(); `silence_ms` null means silence is fine. */
  constructor(path, on, silence_ms = null) {
    this.path = path;
    this.on = on;
    this.silence_ms = silence_ms;
    this.wait_ms = FIRST_WAIT_MS;
    this.socket = null;
    this.timer = null;
    this.ended = false;
  }

  open() {
    if (this.ended) return;
    clearTimeout(this.timer);
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}${this.path}`);
    this.socket = socket;
    this.#expect(socket);
    socket.addEventListener("open", () => {
      if (socket === this.socket) this.on.opened?.();
    });
    socket.addEventListener("message", (event) => this.#take(socket, event.data));
    socket.addEventListener("close", () => this.#lose(socket));
  }

  /** Send a document if there is a connection. */
  send(value) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(value));
  }

  /** Begin anew at once. */
  reopen() {
    this.#leave();
    this.wait_ms = FIRST_WAIT_MS;
    this.open();
  }

  /** Close until it is opened anew. */
  pause() {
    this.#leave();
  }

  /** Close for good. */
  end() {
    this.ended = true;
    this.#leave();
  }

  #leave() {
    clearTimeout(this.timer);
    clearTimeout(this.watch);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  #take(socket, text) {
    if (socket !== this.socket) return;
    this.wait_ms = FIRST_WAIT_MS;
    this.#expect(socket);
    let value;
    try {
      value = JSON.parse(text);
    } catch {
      console.warn(`${this.path} sent what is no JSON`);
      return;
    }
    this.on.document(value);
  }

  #expect(socket) {
    if (this.silence_ms === null) return;
    clearTimeout(this.watch);
    // A peer that vanished without a word never closes the socket.
    this.watch = setTimeout(() => {
      this.#lose(socket);
      socket.close();
    }, this.silence_ms);
  }

  #lose(socket) {
    if (socket !== this.socket || this.ended) return;
    this.socket = null;
    clearTimeout(this.watch);
    this.on.lost?.();
    // A little chance keeps many pages from coming back in the same instant.
    this.timer = setTimeout(() => this.open(), this.wait_ms * (0.8 + 0.4 * Math.random()));
    this.wait_ms = Math.min(2 * this.wait_ms, LONGEST_WAIT_MS);
  }
}
