import { StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { Classifier } from './Classifier.tsx';

function App() {
  const [isShown, setShown] = useState(true);
  return (
    <>
      <button onClick={() => setShown(!isShown)}>{isShown ? 'Unmount' : 'Mount'}</button>
      {isShown && <Classifier model="models/fashion-mnist-compconv.safetensors" />}
    </>
  );
}

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
