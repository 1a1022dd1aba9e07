/** A canvas that is drawn again when its data, its size or the colours change. */

import type { HTMLAttributes } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { useCell } from '../app/cell';
import { colours } from '../app/theme';
import { type Size, useSize } from './size';

export interface CanvasProps extends Omit<HTMLAttributes<HTMLDivElement>, 'size'> {
  readonly label: string;
  readonly draw: (context: CanvasRenderingContext2D, size: Size) => void;
  /** It is drawn again when one of these has changed. */
  readonly of: readonly unknown[];
}

export function Canvas({ label, draw, of, children, ...rest }: CanvasProps) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const size = useSize(box);
  const painted = useCell(colours);
  useLayoutEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context || size.width === 0) return;
    const density = devicePixelRatio || 1;
    context.canvas.width = Math.round(size.width * density);
    context.canvas.height = Math.round(size.height * density);
    context.scale(density, density);
    context.clearRect(0, 0, size.width, size.height);
    draw(context, size);
  }, [size, painted, ...of]);
  return (
    <div {...rest} ref={box}>
      <canvas ref={canvas} role="img" aria-label={label} />
      {children}
    </div>
  );
}
