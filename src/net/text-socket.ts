/** A connection that carries text messages: a WebSocket, or a pair of streams with lines. */
export interface TextSocket {
  /** Queues one message. Nothing is sent after `close`. */
  send(text: string): void;
  /** Bytes queued in this process and not yet taken by the kernel. */
  readonly buffered: number;
  /** Called when `buffered` has come down to nothing after it was not. */
  onDrain(listener: () => void): void;
  onText(listener: (text: string) => void): void;
  /** A message that is no text or too long for one. */
  onBad(listener: (problem: string) => void): void;
  onClose(listener: () => void): void;
  /** Stops and starts reading from the other side. */
  pause(): void;
  resume(): void;
  /** Ends the connection; a WebSocket with this close code. */
  close(code: number, reason: string): void;
}

/** A WebSocket that we dialled. */
export interface DialedSocket extends TextSocket {
  /** As `onClose`, with what the other side closed with: 1006 and no reason where the connection was cut. */
  onEnd(listener: (code: number, reason: string) => void): void;
  /** Ends it at once, with no word to the other side and no waiting for one. */
  cut(): void;
}
