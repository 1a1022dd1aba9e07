/** Each trace as a dot: when, and how long. A box drawn around some of them becomes the search. */

import { useRef, useState } from 'preact/hooks';
import { go } from '../../app/address';
import { hueOf } from '../../app/hue';
import { colour } from '../../app/theme';
import type { Points } from '../../api/types';
import { count, duration, plural, round } from '../../format/number';
import { clock } from '../../format/time';
import { decades, moments } from '../../format/ticks';
import { Canvas } from '../../parts/canvas';
import type { Size } from '../../parts/size';
import { BOTTOM, LEFT, nearest, type Scales, scalesOf, type Window } from './scales';

export interface Box {
  readonly from: number;
  readonly to: number;
  readonly least: number;
  readonly most: number;
}

export interface ScatterProps {
  readonly points: Points;
  readonly window: Window;
  readonly onBox: (box: Box) => void;
}

interface Drag {
  readonly x: number;
  readonly y: number;
  readonly toX: number;
  readonly toY: number;
}

export function Scatter({ points, window, onBox }: ScatterProps) {
  const scales = useRef<Scales>(undefined);
  const [drag, setDrag] = useState<Drag>();
  const [hovered, setHovered] = useState<number>();
  const draw = (context: CanvasRenderingContext2D, size: Size): void => {
    scales.current = scalesOf(points, window, size);
    axes(context, scales.current, size);
    dots(context, points, scales.current);
  };
  const moved = (event: PointerEvent): void => {
    const [x, y] = place(event);
    if (drag) setDrag({ ...drag, toX: x, toY: y });
    else setHovered(scales.current && nearest(points, scales.current, x, y));
  };
  const released = (event: PointerEvent): void => {
    setDrag(undefined);
    if (!drag || !scales.current) return;
    const id = points.ids[nearest(points, scales.current, ...place(event)) ?? -1];
    if (isBox(drag)) onBox(boxOf(drag, scales.current));
    else if (id !== undefined) go(`/trace/${id}`);
  };
  return (
    <Canvas
      class="scatter"
      label={summary(points)}
      of={[points, window.from, window.to]}
      draw={draw}
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        const [x, y] = place(event);
        setDrag({ x, y, toX: x, toY: y });
      }}
      onPointerMove={moved}
      onPointerUp={released}
      onPointerCancel={() => setDrag(undefined)}
      onPointerLeave={() => setHovered(undefined)}
    >
      {drag && isBox(drag) && <div class="drag-box" style={rectangle(drag)} />}
      {!drag && hovered !== undefined && scales.current && <Tip points={points} at={hovered} scales={scales.current} />}
    </Canvas>
  );
}

function summary({ matched, error, thinned }: Points): string {
  const failed = error.reduce((sum, each) => sum + each, 0);
  return `Durations of ${plural(matched, 'trace')} over time, ${count(failed)} of them failed${thinned ? '; some are not drawn' : ''}. The list below has them all.`;
}

function axes(context: CanvasRenderingContext2D, scales: Scales, { width, height }: Size): void {
  context.font = '11px system-ui, sans-serif';
  context.fillStyle = colour('muted');
  context.strokeStyle = colour('line');
  context.textBaseline = 'middle';
  context.textAlign = 'right';
  context.beginPath();
  for (const tick of decades(scales.least, scales.most)) {
    const y = Math.round(scales.y(tick)) + 0.5;
    context.moveTo(LEFT, y);
    context.lineTo(width, y);
    context.fillText(round(duration(tick)), LEFT - 6, y);
  }
  context.stroke();
  context.textAlign = 'center';
  for (const tick of moments(scales.from / 1000, scales.to / 1000, (width - LEFT) / 110)) {
    const x = scales.x(tick * 1000);
    if (x > LEFT + 24 && x < width - 28) context.fillText(clock(tick).slice(0, 8), x, height - BOTTOM / 2 + 1);
  }
}

/** The failed come last, so that none is hidden. */
function dots(context: CanvasRenderingContext2D, { start, duration, error, services, service }: Points, { x, y }: Scales): void {
  const hues = services.map((name) => colour(`hue-${hueOf(name)}`));
  context.globalAlpha = start.length > 1500 ? 0.55 : 0.85;
  for (let at = start.length - 1; at >= 0; at--) {
    if (error[at]) continue;
    context.fillStyle = hues[service[at] ?? 0] ?? '';
    context.beginPath();
    context.arc(x(start[at] ?? 0), y(duration[at] ?? 0), 2.2, 0, Math.PI * 2);
    context.fill();
  }
  context.globalAlpha = 1;
  context.strokeStyle = colour('failed');
  context.lineWidth = 1.6;
  context.beginPath();
  for (let at = 0; at < start.length; at++) {
    if (!error[at]) continue;
    const [left, top] = [x(start[at] ?? 0), y(duration[at] ?? 0)];
    context.moveTo(left - 3, top - 3);
    context.lineTo(left + 3, top + 3);
    context.moveTo(left + 3, top - 3);
    context.lineTo(left - 3, top + 3);
  }
  context.stroke();
}

function Tip({ points, at, scales }: { readonly points: Points; readonly at: number; readonly scales: Scales }) {
  const [start = 0, time = 0] = [points.start[at], points.duration[at]];
  const x = scales.x(start);
  const side = start > (scales.from + scales.to) / 2 ? 'tip before' : 'tip';
  return (
    <div class={side} style={{ left: `${x}px`, top: `${scales.y(time)}px` }}>
      {points.services[points.service[at] ?? 0]} <strong>{points.names[points.name[at] ?? 0]}</strong>
      <br />
      <span class="number">{duration(time)}</span> at {clock(start / 1000)} {points.error[at] ? <span class="failed">failed</span> : null}
    </div>
  );
}

function place(event: PointerEvent): [x: number, y: number] {
  const box = event.currentTarget instanceof Element ? event.currentTarget.getBoundingClientRect() : new DOMRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

function isBox({ x, y, toX, toY }: Drag): boolean {
  return Math.abs(x - toX) > 6 && Math.abs(y - toY) > 2;
}

function rectangle({ x, y, toX, toY }: Drag): Record<string, string> {
  return { left: `${Math.min(x, toX)}px`, top: `${Math.min(y, toY)}px`, width: `${Math.abs(x - toX)}px`, height: `${Math.abs(y - toY)}px` };
}

function boxOf({ x, y, toX, toY }: Drag, { start, duration }: Scales): Box {
  return {
    from: Math.round(start(Math.min(x, toX))),
    to: Math.round(start(Math.max(x, toX))),
    least: duration(Math.max(y, toY)),
    most: duration(Math.min(y, toY)),
  };
}
