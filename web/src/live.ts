import { type Message, type Picture, Refused, api } from "./api";
import { type NdArray, decode } from "./arrays";
import type { Socket } from "./transport";

export type LiveRequest =
  | Omit<Message<"LivePattern">, "seq">
  | Omit<Message<"LiveVirtual">, "seq">
  | Omit<Message<"LiveRegion">, "seq">;

interface Waiting {
  readonly request: LiveRequest;
  readonly take: (picture: Picture) => void;
  readonly fail: (error: Error) => void;
}

/** Reads a binary message of the live socket: length of the head, head, array. */
export function unpack(bytes: ArrayBuffer): { head: Message<"ArrayHead">; array: NdArray } {
  const length = new DataView(bytes).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length))) as Message<"ArrayHead">;
  return { head, array: decode(bytes.slice(4 + length), head.shape.join(","), head.dtype) };
}

/**
 * The live socket of a scan. Of each kind of question one is under way at a time, and only the newest waits:
 * a cursor that moves faster than answers come never makes a queue.
 */
export class Live {
  private socket: Socket | null = null;
  private seq = 0;
  private readonly path: string;
  private readonly underWay = new Map<number, Waiting>();
  /** Questions that have an answer already, which is still growing: they hold nobody up. */
  private readonly growing = new Map<number, Waiting>();
  private readonly next = new Map<string, Waiting>();

  constructor(scan: string) {
    this.path = `scans/${scan}/live`;
  }

  ask(request: LiveRequest, take: Waiting["take"], fail: Waiting["fail"]): void {
    this.next.set(request.what, { request, take, fail });
    this.send();
  }

  close(): void {
    this.next.clear();
    this.underWay.clear();
    this.growing.clear();
    this.socket?.close();
    this.socket = null;
  }

  private send(): void {
    const socket = this.open();
    if (socket.readyState !== WebSocket.OPEN) return;
    const busy = new Set([...this.underWay.values()].map((waiting) => waiting.request.what));
    for (const [what, waiting] of this.next) {
      if (busy.has(waiting.request.what)) continue;
      this.next.delete(what);
      for (const [seq, old] of this.growing) if (old.request.what === what) this.growing.delete(seq);
      this.underWay.set(++this.seq, waiting);
      socket.send(JSON.stringify({ ...waiting.request, seq: this.seq }));
    }
  }

  private open(): Socket {
    if (this.socket && this.socket.readyState <= WebSocket.OPEN) return this.socket;
    const socket = api.socket(this.path);
    socket.onopen = () => this.send();
    socket.onmessage = ({ data }) => this.hear(data);
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.socket = null;
      const lost = [...this.underWay.values(), ...this.growing.values()];
      this.underWay.clear();
      this.growing.clear();
      for (const waiting of lost) waiting.fail(new Error("closed"));
    };
    this.socket = socket;
    return socket;
  }

  private hear(data: ArrayBuffer | string): void {
    if (typeof data === "string") {
      const { seq, problem } = JSON.parse(data) as Message<"LiveProblem">;
      this.underWay.get(seq)?.fail(new Refused(400, problem));
      this.underWay.delete(seq);
    } else {
      const { head, array } = unpack(data);
      const asked = this.underWay.get(head.seq) ?? this.growing.get(head.seq);
      asked?.take({ array, exact: head.exact, done: head.done });
      this.underWay.delete(head.seq);
      if (asked && !head.final) this.growing.set(head.seq, asked);
      else this.growing.delete(head.seq);
    }
    this.send();
  }
}
