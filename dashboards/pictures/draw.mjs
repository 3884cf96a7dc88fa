// Draws every dashboard as a PNG: `node draw.mjs DATA DASHBOARDS FOLDER`. DATA is what `soc --data` wrote. Needs Chromium.
// No Grafana server is involved: @grafana/ui draws the panels, and what a server adds around them is drawn by panel.jsx.

import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';

const here = dirname(fileURLToPath(import.meta.url));
const [dataFile, folder, into] = process.argv.slice(2);
if (!into) {
  console.error('usage: node draw.mjs DATA DASHBOARDS FOLDER');
  process.exit(2);
}

// Modules of the old kind give their default export in a wrapper to modules of the new kind; this one is taken out of it.
const unwrapped = {
  name: 'unwrapped',
  setup(bundler) {
    bundler.onResolve({ filter: /^react-custom-scrollbars-2$/ }, ({ importer, path }) =>
      importer.endsWith('.mjs') ? { path, namespace: 'unwrapped', pluginData: dirname(importer) } : undefined);
    bundler.onLoad({ filter: /.*/, namespace: 'unwrapped' }, ({ path, pluginData }) => ({
      contents: `import { Scrollbars } from '${path}'; export default Scrollbars; export { Scrollbars };`,
      resolveDir: pluginData,
    }));
  },
};

const data = JSON.parse(await readFile(dataFile, 'utf8'));
const work = await mkdtemp(join(tmpdir(), 'pictures-'));
try {
  await build({
    entryPoints: [join(here, 'panel.jsx')],
    bundle: true,
    outfile: join(work, 'panel.js'),
    jsx: 'automatic',
    format: 'iife',
    define: { 'process.env.NODE_ENV': '"production"', global: 'window' },
    loader: { '.svg': 'dataurl', '.ttf': 'empty', '.woff2': 'empty' },
    plugins: [unwrapped],
    logLevel: 'error',
  });
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
  for (const file of (await readdir(folder)).filter((name) => name.endsWith('.json')).sort()) {
    const dashboard = JSON.parse(await readFile(join(folder, file), 'utf8'));
    const shown = { dashboard, answers: data.dashboards[dashboard.uid], from: data.from, to: data.to };
    const page = join(work, `${dashboard.uid}.html`);
    // Everything in one file: nothing is fetched.
    const safe = JSON.stringify(shown).replaceAll('<', '\\u003c');
    await writeFile(
      page,
      `<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="panel.css"><body><div id="page"></div>
<script>window.grafanaBootData = { settings: { featureToggles: {} }, user: { locale: 'en-GB', timezone: 'utc', weekStart: '' } }; window.SHOWN = ${safe};</script>
<script src="panel.js"></script></body>`,
    );
    const tab = await browser.newPage({ viewport: { width: 1600, height: 900 } });
    const problems = [];
    tab.on('pageerror', (error) => problems.push(String(error)));
    await tab.goto(pathToFileURL(page).href);
    await tab.waitForFunction('window.DRAWN === true', undefined, { timeout: 30_000 }).catch((error) => {
      throw new Error(`${file}: nothing was drawn: ${problems.join('; ') || error}`);
    });
    const picture = resolve(into, `dashboard-${dashboard.uid}.png`);
    await tab.locator('#page').screenshot({ path: picture });
    await tab.close();
    console.log(picture, problems.length ? problems : '');
    if (problems.length) {
      process.exitCode = 1;
    }
  }
  await browser.close();
} finally {
  await rm(work, { recursive: true, force: true });
}
