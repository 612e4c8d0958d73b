import { hydrateRoot } from 'react-dom/client';
import { App, type Row } from './App.tsx';

const rows = JSON.parse(document.getElementById('rows')!.textContent) as Row[];
hydrateRoot(document.getElementById('root')!, <App rows={rows} />);
