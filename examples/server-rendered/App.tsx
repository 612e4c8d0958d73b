import { loadModel } from 'compconv-webgpu';
import { useEffect, useState } from 'react';

export interface Row {
  readonly name: string;
  readonly macs: number;
  readonly params: number;
}

/** What the server prints, and the browser goes on with. */
export function App({ rows }: { rows: readonly Row[] }) {
  return (
    <>
      <table>
        <thead>
          <tr>
            <th>Network</th>
            <th>MACs</th>
            <th>Parameters</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ name, macs, params }) => (
            <tr key={name}>
              <td>{name}</td>
              <td>{macs.toLocaleString('en')}</td>
              <td>{params.toLocaleString('en')}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <Demo image="images/fashion-mnist/test-0000.png" />
    </>
  );
}

/** Runs in browsers alone: effects do not run on a server. */
function Demo({ image }: { image: string }) {
  const [text, setText] = useState('No model yet');
  useEffect(() => {
    const controller = new AbortController();
    classify(image, controller.signal).then(setText, (error: Error) => !controller.signal.aborted && setText(String(error)));
    return () => controller.abort();
  }, [image]);
  return (
    <p role="status">
      <img src={image} alt="What is this?" /> {text}
    </p>
  );
}

async function classify(url: string, signal: AbortSignal): Promise<string> {
  using session = await loadModel('models/fashion-mnist-compconv.safetensors', { signal });
  const response = await fetch(url, { signal });
  const [best] = await session.classify(await response.blob(), { topK: 1, signal });
  return `${best.label} ${(100 * best.score).toFixed(1)} %`;
}
