import type { Classification } from 'compconv-webgpu';
import { useState, type DragEvent } from 'react';
import { useModel } from './useModel.ts';

interface Result {
  readonly name: string;
  readonly classes: readonly Classification[];
}

export function Classifier({ model }: { model: string }) {
  const { session, progress, error } = useModel(model);
  const [results, setResults] = useState<readonly Result[]>([]);
  const [problem, setProblem] = useState<Error>();

  async function onDrop(event: DragEvent) {
    event.preventDefault();
    const files = [...event.dataTransfer.files];
    try {
      const found = await Promise.all(files.map(async (file) => ({ name: file.name, classes: await session!.classify(file, { topK: 3 }) })));
      setResults((before) => [...found, ...before]);
    } catch (reason) {
      setProblem(reason as Error);
    }
  }

  if (error ?? problem) return <p role="status">{String(error ?? problem)}</p>;
  if (!session) return <progress max={1} value={progress} />;
  return (
    <section aria-label="Drop images here" onDragOver={(event) => event.preventDefault()} onDrop={onDrop}>
      <p role="status">
        {session.graph.name} on {session.adapter.name}: drop images here
      </p>
      <ul>
        {results.map(({ name, classes }, i) => (
          <li key={results.length - i}>
            {name}: {classes.map(({ label, score }) => `${label} ${(100 * score).toFixed(1)} %`).join(', ')}
          </li>
        ))}
      </ul>
    </section>
  );
}
