// One dashboard on one page: data frames as Grafana's data source for Prometheus makes them, panels by Grafana's own components.

import 'uplot/dist/uPlot.min.css';
import { useEffect } from 'react';
import { createRoot } from 'react-dom/client';
import {
  FieldType, createTheme, dateTime, getDisplayProcessor, standardTransformers, standardTransformersRegistry, toDataFrame, transformDataFrame,
} from '@grafana/data';
import { BarGauge, BigValue, GlobalStyles, PanelChrome, Table, ThemeContext, TimeSeries } from '@grafana/ui';

const { dashboard, answers, from, to } = window.SHOWN;
const theme = createTheme({ colors: { mode: 'dark' } });
const CELL = 30, GAP = 8, WIDTH = 1584;

standardTransformersRegistry.setInit(() =>
  [standardTransformers.mergeTransformer, standardTransformers.organizeFieldsTransformer].map((transformation) => ({
    id: transformation.id, name: transformation.name, transformation, editor: () => null,
  })),
);

// `{{label}}` as in Grafana; `__auto` is the value's own name.
function legend(format, labels) {
  const name = format === '__auto' ? '' : format.replace(/\{\{(\w+)\}\}/g, (_, label) => labels[label] ?? '');
  return name.trim() || labels.__name__ || 'Value';
}

// Defaults, and over them what is said about the field's name.
function configured(panel, field, name) {
  const config = structuredClone(panel.fieldConfig.defaults);
  for (const { matcher, properties } of panel.fieldConfig.overrides) {
    if (matcher.id !== 'byName' || matcher.options !== name) continue;
    for (const { id, value } of properties) {
      const way = id.split('.');
      const last = way.pop();
      way.reduce((at, key) => (at[key] ??= {}), config)[last] = value;
    }
  }
  field.config = { ...config, displayNameFromDS: name };
  field.state = { ...field.state, displayName: name };
  field.display = getDisplayProcessor({ field, theme, timeZone: 'utc' });
  return field;
}

// A series for each answer. Times that have no answer are gaps.
function series(panel) {
  const frames = [];
  for (const target of panel.targets) {
    const { step, series: found } = answers[panel.id][target.refId];
    for (const { metric, value, values } of found) {
      const points = new Map((values ?? [value]).map(([at, text]) => [Math.round(at), Number(text)]));
      const times = values ? Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, n) => from + n * step) : [...points.keys()];
      const frame = toDataFrame({
        refId: target.refId,
        fields: [
          { name: 'Time', type: FieldType.time, values: times.map((at) => at * 1000) },
          { name: 'Value', type: FieldType.number, labels: metric, values: times.map((at) => points.get(at) ?? null) },
        ],
      });
      frame.fields[1].state = { seriesIndex: frames.length };
      frame.fields[0].config = { custom: {} };
      configured(panel, frame.fields[1], legend(target.legendFormat, metric));
      frames.push(frame);
    }
  }
  return frames;
}

// A frame for each query, a column for each label: the format `table`.
function tables(panel) {
  return panel.targets.map((target) => {
    const rows = answers[panel.id][target.refId].series;
    const labels = [...new Set(rows.flatMap(({ metric }) => Object.keys(metric)))].sort();
    const value = panel.targets.length > 1 ? `Value #${target.refId}` : 'Value';
    return toDataFrame({
      refId: target.refId,
      fields: [
        { name: 'Time', type: FieldType.time, values: rows.map(({ value: [at] }) => at * 1000) },
        ...labels.map((label) => ({ name: label, type: FieldType.string, values: rows.map(({ metric }) => metric[label] ?? '') })),
        { name: value, type: FieldType.number, values: rows.map(({ value: [, text] }) => Number(text)) },
      ],
    });
  });
}

function transformed(panel) {
  let result = tables(panel);
  const subscription = transformDataFrame(panel.transformations ?? [], tables(panel)).subscribe((frames) => (result = frames));
  subscription.unsubscribe();
  const [frame] = result;
  frame.fields = frame.fields.map((field) => configured(panel, field, field.config.displayName ?? field.name));
  return frame;
}

const last = (field) => [...field.values].reverse().find((v) => v !== null);

function Stat({ panel, width, height }) {
  const { options } = panel;
  const field = series(panel)[0]?.fields[1];
  if (!field) return <div style={{ padding: 16 }}>{panel.fieldConfig.defaults.noValue ?? 'No data'}</div>;
  return <BigValue theme={theme} width={width} height={height} value={field.display(last(field))} count={1} {...options} />;
}

function Bars({ panel, width, height }) {
  const all = series(panel).map((frame) => frame.fields[1]);
  const gap = 6, each = Math.min(38, Math.floor((height - gap * (all.length - 1)) / Math.max(all.length, 1)));
  const shown = all.map((field) => ({ field, value: { ...field.display(last(field)), title: field.state.displayName } }));
  const max = panel.fieldConfig.defaults.max ?? Math.max(1, ...all.map(last));
  const factors = shown.reduce((f, { value }) => ({
    title: value.title.length >= f.title.length ? `${value.title}m` : f.title, text: value.text.length > f.text.length ? value.text : f.text, suffix: value.suffix ?? f.suffix,
  }), { title: '', text: '' });
  return shown.map(({ field, value }) => (
    <div key={value.title} style={{ marginBottom: gap, height: each }}>
      <BarGauge theme={theme} width={width} height={each} field={{ ...field.config, max }} value={value} display={field.display}
        orientation="horizontal" displayMode={panel.options.displayMode} showUnfilled alignmentFactors={factors} />
    </div>
  ));
}

function Curves({ panel, width, height }) {
  const frames = series(panel);
  if (!frames.length) return <div style={{ padding: 16 }}>{panel.fieldConfig.defaults.noValue ?? 'No data'}</div>;
  const range = { from: dateTime(from * 1000), to: dateTime(to * 1000), raw: { from: dateTime(from * 1000), to: dateTime(to * 1000) } };
  return <TimeSeries frames={frames} width={width} height={height} timeRange={range} timeZone="utc" legend={panel.options.legend} structureRev={1} />;
}

function Rows({ panel, width, height }) {
  return <Table data={transformed(panel)} width={width} height={height} initialSortBy={panel.options.sortBy} cellHeight="sm" />;
}

const KINDS = { stat: Stat, bargauge: Bars, timeseries: Curves, table: Rows };

function Panel({ panel }) {
  const { x, y, w, h } = panel.gridPos;
  const column = WIDTH / 24;
  const box = { position: 'absolute', left: x * column, top: y * (CELL + GAP), width: w * column - GAP, height: h * (CELL + GAP) - GAP };
  if (panel.type === 'row') {
    return <div style={{ ...box, display: 'flex', alignItems: 'center', fontWeight: 500, fontSize: 16, color: theme.colors.text.primary }}>{panel.title}</div>;
  }
  const Kind = KINDS[panel.type];
  return (
    <div style={box}>
      <PanelChrome title={panel.title} width={box.width} height={box.height} padding={panel.type === 'table' ? 'none' : 'md'}>
        {(width, height) => <Kind panel={panel} width={width} height={height} />}
      </PanelChrome>
    </div>
  );
}

function Page() {
  // Two frames later uPlot has painted its canvases.
  useEffect(() => { setTimeout(() => (window.DRAWN = true), 1500); }, []);
  const rows = Math.max(...dashboard.panels.map(({ gridPos: { y, h } }) => y + h));
  const time = (at) => new Date(at * 1000).toISOString().slice(11, 19);
  const variables = dashboard.templating.list.filter(({ name }) => name !== 'datasource' && name !== 'api').map(({ label }) => `${label}: All`);
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div style={{ padding: '12px 8px 4px', display: 'flex', gap: 24, alignItems: 'baseline', color: theme.colors.text.primary }}>
        <span style={{ fontSize: 20 }}>{dashboard.title}</span>
        <span style={{ color: theme.colors.text.secondary, flex: 1 }}>{dashboard.description}</span>
        <span style={{ color: theme.colors.text.secondary }}>{variables.join('   ')}   {time(from)} to {time(to)} UTC</span>
      </div>
      <div style={{ position: 'relative', height: rows * (CELL + GAP), margin: 8 }}>
        {dashboard.panels.map((panel) => <Panel key={panel.id} panel={panel} />)}
      </div>
    </ThemeContext.Provider>
  );
}

Object.assign(document.body.style, { margin: 0, background: theme.colors.background.canvas, fontFamily: theme.typography.fontFamily, fontSize: '14px', color: theme.colors.text.primary });
const page = document.getElementById('page');
page.style.width = `${WIDTH + 16}px`;
page.style.background = theme.colors.background.canvas;
createRoot(page).render(<Page />);
