/** Loads the other engine that is asked for, and no other. */
import type { Peer, PeerName } from './peer.ts';

/** Loads and starts a peer. @throws webgpu-unavailable, io where the library cannot be loaded */
export async function openPeer(name: PeerName): Promise<Peer> {
  switch (name) {
    case 'ort-web':
      return (await import('./ort-web.ts')).openOrtWeb();
    case 'ort-wasm':
      return (await import('./ort-wasm.ts')).openOrtWasm();
    case 'tfjs':
      return (await import('./tfjs.ts')).openTfjs();
  }
}
