import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import sirv from 'sirv';
import { render } from './dist/server/entry-server.js';

const template = await readFile(new URL('dist/client/index.html', import.meta.url), 'utf8');
const files = sirv(fileURLToPath(new URL('dist/client', import.meta.url)));

const server = createServer((request, response) => {
  response.setHeader('Content-Security-Policy', "default-src 'self'");
  if (request.url !== '/') return files(request, response);
  const { html, rows } = render();
  // No `</script>` in it.
  const data = JSON.stringify(rows).replaceAll('<', '\\u003c');
  response.setHeader('Content-Type', 'text/html');
  response.end(template.replace('<!--app-->', () => html).replace('<!--rows-->', () => data));
});
server.listen(process.env.PORT ?? 3000, () => console.log(`http://localhost:${server.address().port}/`));
