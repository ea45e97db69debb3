import type { components } from "./schema";

type Asked = components["schemas"]["WidgetMessage"];
/** A message to the kernel; the widget adds what tells one page's questions from another's. */
export type Outgoing = Partial<Asked> & Pick<Asked, "kind" | "id">;

/** A message of the kernel, with its binary part. */
export interface Incoming {
  readonly kind: "page" | "reply" | "opened" | "text" | "bytes" | "closed";
  readonly id: string;
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly text?: string;
  readonly code?: number;
  readonly script?: string;
  readonly style?: string;
  readonly body?: ArrayBuffer;
}

/** What the page finds on its frame where it is a Jupyter widget: a way to the kernel in place of the network. */
export interface Bridge {
  readonly send: (message: Outgoing) => void;
  /** Hears all messages of an id until the function that is returned is called. */
  readonly hear: (id: string, take: (message: Incoming) => void) => () => void;
}

/** What is used of sockets. */
export type Socket = Pick<WebSocket, "readyState" | "send" | "close" | "onopen" | "onmessage" | "onclose">;

/** There is none in a window of its own. */
export const bridge: Bridge | undefined = typeof window === "undefined" ? undefined : (window.frameElement as { unmixel?: Bridge } | null)?.unmixel;

let count = 0;
const fresh = (): string => String(++count);

function ask(way: Bridge, path: string, init: RequestInit): Promise<Response> {
  const id = fresh();
  return new Promise((answer) => {
    const done = way.hear(id, ({ status = 500, headers = {}, body = new ArrayBuffer(0), kind, text = "" }) => {
      done();
      if (kind === "reply") answer(new Response(body, { status, headers }));
      else answer(new Response(text, { status: 503 }));
    });
    way.send({ kind: "ask", id, method: init.method === "POST" ? "POST" : "GET", path, text: typeof init.body === "string" ? init.body : "" });
  });
}

function socket(way: Bridge, path: string): Socket {
  const id = fresh();
  const made: Socket & { readyState: number } = {
    readyState: WebSocket.CONNECTING,
    send: (text) => way.send({ kind: "send", id, text: String(text) }),
    close: () => {
      if (made.readyState >= WebSocket.CLOSING) return;
      made.readyState = WebSocket.CLOSING;
      way.send({ kind: "close", id });
    },
    onopen: null,
    onmessage: null,
    onclose: null,
  };
  const tell = (listener: unknown, event: object) => (listener as ((event: object) => void) | null)?.(event);
  const done = way.hear(id, ({ kind, text = "", body, code = 1000 }) => {
    if (kind === "opened") {
      if (made.readyState === WebSocket.CONNECTING) made.readyState = WebSocket.OPEN;
      tell(made.onopen, {});
    } else if (kind === "text" || kind === "bytes") {
      tell(made.onmessage, { data: kind === "text" ? text : body });
    } else {
      done();
      made.readyState = WebSocket.CLOSED;
      tell(made.onclose, { code, reason: text });
    }
  });
  way.send({ kind: "open", id, path });
  return made;
}

/** Requests and sockets of the page by messages of the widget. */
export const throughWidget = { ask, socket } as const;
