/** Placeholder until the branch with the peers is merged: names only. */
export const peerNames = ['ort-web', 'ort-wasm', 'tfjs'] as const;
export type PeerName = (typeof peerNames)[number];
