/** The whole trace in a strip: drag to look closer, double click to see all of it. */

import { useState } from 'preact/hooks';
import { change } from '../../app/address';
import { hueOf } from '../../app/hue';
import { colour } from '../../app/theme';
import { Canvas } from '../../parts/canvas';
import type { Size } from '../../parts/size';
import { type Analysis, serviceOf } from '../../trace/analysis';
import { type Zoom, zoomTo } from './state';

export interface MinimapProps {
  readonly analysis: Analysis;
  readonly zoom: Zoom;
}

interface Drag {
  readonly from: number;
  readonly to: number;
}

export function Minimap({ analysis, zoom }: MinimapProps) {
  const [drag, setDrag] = useState<Drag>();
  const { start, end } = analysis;
  const whole = Math.max(1, end - start);
  const percent = (time: number): string => `${(((time - start) / whole) * 100).toFixed(3)}%`;
  const timeAt = (event: PointerEvent): number => {
    const box = event.currentTarget instanceof Element ? event.currentTarget.getBoundingClientRect() : new DOMRect();
    return start + Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * whole;
  };
  const released = (): void => {
    setDrag(undefined);
    if (!drag) return;
    const [from, to] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
    if (to - from > whole / 200) zoomTo({ from, to }, analysis);
  };
  const shown = drag ? { from: Math.min(drag.from, drag.to), to: Math.max(drag.from, drag.to) } : zoom;
  return (
    <Canvas
      class="minimap"
      label="All spans over the whole trace"
      of={[analysis]}
      draw={(context, size) => paint(context, size, analysis)}
      title="drag to look closer, double click for all"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        const at = timeAt(event);
        setDrag({ from: at, to: at });
      }}
      onPointerMove={(event) => drag && setDrag({ ...drag, to: timeAt(event) })}
      onPointerUp={released}
      onDblClick={() => change({ zoom: null })}
    >
      <div class="shade" style={{ left: '0', width: percent(shown.from) }} />
      <div class="shade" style={{ left: percent(shown.to), right: '0' }} />
    </Canvas>
  );
}

function paint(context: CanvasRenderingContext2D, { width, height }: Size, { rows, trace, start, end }: Analysis): void {
  const scale = width / Math.max(1, end - start);
  const step = Math.min(4, (height - 4) / rows.length);
  const hues = new Map(trace.resources.map(({ service }) => [service, colour(`hue-${hueOf(service)}`)]));
  const failed = colour('failed');
  for (const { span, index, start: from, end: to } of rows) {
    context.fillStyle = span.status === 'error' ? failed : (hues.get(serviceOf(trace, span)) ?? '');
    context.fillRect((from - start) * scale, 2 + index * step, Math.max(1, (to - from) * scale), Math.max(1, step - 0.5));
  }
}
