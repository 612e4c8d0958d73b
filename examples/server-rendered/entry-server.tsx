import { createNetwork, networkCost } from 'compconv-webgpu';
import { renderToString } from 'react-dom/server';
import { App, type Row } from './App.tsx';

/** The page's content, and the data that it was made of, for the browser to begin with. */
export function render(): { html: string; rows: readonly Row[] } {
  const rows = [undefined, 128, 64].map((c0): Row => {
    const graph = createNetwork({ arch: 'resnet50', ...(c0 && { c0 }) });
    const { macs, params } = networkCost(graph).total;
    return { name: graph.name, macs, params };
  });
  return { html: renderToString(<App rows={rows} />), rows };
}
