/** The other engines as a choice: what they are, and what asking for one downloads. */
import type { PeerName } from '../peers/peer.ts';

export interface PeerChoice {
  readonly name: PeerName;
  readonly title: string;
  /** Of its files as they lie on the server; many servers compress them on the way. */
  readonly downloadMegabytes: number;
}

/** onnxruntime has a smaller build for browsers whose WebAssembly can wait for promises (JSPI). */
export function peerChoices(hasJspi: boolean): PeerChoice[] {
  return [
    { name: 'ort-web', title: 'onnxruntime-web on WebGPU', downloadMegabytes: hasJspi ? 17 : 27 },
    { name: 'ort-wasm', title: 'onnxruntime-web on the processor (WebAssembly)', downloadMegabytes: 14 },
    { name: 'tfjs', title: 'TensorFlow.js on WebGPU', downloadMegabytes: 1 },
  ];
}
