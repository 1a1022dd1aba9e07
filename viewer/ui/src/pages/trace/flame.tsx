/** A trace as a flame: where the time is, by who called whom. */

import { useMemo, useRef, useState } from 'preact/hooks';
import { hueOf } from '../../app/hue';
import { colour } from '../../app/theme';
import { count, duration, percent, plural } from '../../format/number';
import { Canvas } from '../../parts/canvas';
import type { Size } from '../../parts/size';
import type { Analysis, Row } from '../../trace/analysis';
import { type Block, flame } from '../../trace/flame';

export interface FlameProps {
  readonly analysis: Analysis;
  readonly onOpen: (row: Row) => void;
}

const HEIGHT = 20;
/** Narrower blocks have no room for a name. */
const NAMED = 34;
const DEEPEST = 400;

/** A stretch of the axis of total time. */
type Stretch = Pick<Block, 'at' | 'total'>;

export function Flame({ analysis, onOpen }: FlameProps) {
  const { blocks, whole, chosen, focus, seen, choose, look } = useFlame(analysis);
  const width = useRef(0);
  const deepest = blocks.reduce((depth, block) => Math.max(depth, block.depth), 0) + 1;
  const under = (event: MouseEvent): Block | undefined => {
    const box = event.currentTarget instanceof Element ? event.currentTarget.getBoundingClientRect() : new DOMRect();
    const at = seen.at + ((event.clientX - box.left) / width.current) * seen.total;
    const depth = Math.floor((event.clientY - box.top) / HEIGHT);
    return blocks.find((block) => block.depth === depth && block.at <= at && at < block.at + block.total);
  };
  return (
    <div class="scroll flame-page">
      <p class="note" role="status">
        {chosen && <Told block={chosen} whole={whole} />} {chosen && <button class="link" onClick={() => onOpen(chosen.sample)}>longest span</button>}{' '}
        {focus && <button class="link" onClick={() => look(focus)}>all</button>}
      </p>
      <Canvas
        class="flame"
        style={{ height: `${deepest * HEIGHT}px` }}
        tabIndex={0}
        label="Flame: arrows choose a block, blank looks closer, enter opens its longest span. The table view has the same figures."
        of={[blocks, focus, chosen]}
        draw={(context, size) => {
          width.current = size.width;
          paint(context, size, blocks, seen, chosen);
        }}
        onPointerMove={(event) => choose(under(event) ?? chosen)}
        onClick={(event) => look(under(event))}
        onKeyDown={(event) => {
          const next = chosen && NEIGHBOURS[event.key]?.(chosen, blocks);
          if (event.key === 'Enter' && chosen) onOpen(chosen.sample);
          else if (event.key === ' ') look(chosen);
          else if (next) choose(next);
          else return;
          event.preventDefault();
          event.stopPropagation();
        }}
      />
    </div>
  );
}

/** Which block is told of, and which is as wide as the page. Blocks are made anew when more of a trace comes, so they go by their longest span. */
function useFlame(analysis: Analysis) {
  const blocks = useMemo(() => flame(analysis).filter(({ depth }) => depth < DEEPEST), [analysis]);
  const whole = useMemo(() => blocks.reduce((sum, { depth, total }) => (depth === 0 ? sum + total : sum), 0), [blocks]);
  const [focusKey, setFocus] = useState<string>();
  const [chosenKey, setChosen] = useState<string>();
  const blockOf = (key: string | undefined): Block | undefined => blocks.find(({ sample }) => sample.key === key);
  const [focus, chosen] = [blockOf(focusKey), blockOf(chosenKey) ?? blocks[0]];
  const seen: Stretch = focus ?? { at: 0, total: Math.max(1, whole) };
  const choose = (block: Block | undefined): void => setChosen(block?.sample.key);
  const look = (block: Block | undefined): void => setFocus(block === focus ? undefined : block?.sample.key);
  return { blocks, whole, chosen, focus, seen, choose, look };
}

function Told({ block, whole }: { readonly block: Block; readonly whole: number }) {
  return (
    <>
      <span class={`service hue-${hueOf(block.service)}`}>{block.service}</span> <strong>{block.name || '(no name)'}</strong>{' '}
      <span class="number">
        {plural(block.count, 'span')}, busy {duration(block.total)} ({percent(block.total / Math.max(1, whole))}), itself {duration(block.self)}
        {block.errors > 0 && <span class="failed">, × {count(block.errors)} failed</span>}
      </span>
    </>
  );
}

type Neighbour = (block: Block, blocks: readonly Block[]) => Block | undefined;

const NEIGHBOURS: Readonly<Record<string, Neighbour | undefined>> = {
  ArrowUp: ({ parent }) => parent,
  ArrowDown: (block) => [...block.children.values()].sort((one, other) => other.total - one.total)[0],
  ArrowRight: (block, blocks) => blocks.find(({ depth, at }) => depth === block.depth && at >= block.at + block.total),
  ArrowLeft: (block, blocks) => blocks.findLast(({ depth, at, total }) => depth === block.depth && at + total <= block.at),
};

function paint(context: CanvasRenderingContext2D, { width }: Size, blocks: readonly Block[], seen: Stretch, chosen: Block | undefined): void {
  const scale = width / seen.total;
  context.font = '11px system-ui, sans-serif';
  context.textBaseline = 'middle';
  const [ink, failed] = [colour('on-hue'), colour('failed')];
  for (const block of blocks) {
    const left = Math.max(0, (block.at - seen.at) * scale);
    const right = Math.min(width, (block.at + block.total - seen.at) * scale);
    if (right - left < 0.5) continue;
    const top = block.depth * HEIGHT;
    context.fillStyle = colour(`hue-${hueOf(block.service)}`);
    context.fillRect(left, top, Math.max(0.5, right - left - 0.5), HEIGHT - 1);
    if (block.errors > 0) {
      context.fillStyle = failed;
      context.fillRect(left, top + HEIGHT - 4, right - left - 0.5, 3);
    }
    if (right - left > NAMED) label(context, block.name, left + 4, top + HEIGHT / 2, right - left - 8, ink);
    if (block !== chosen) continue;
    context.strokeStyle = colour('text');
    context.lineWidth = 2;
    context.strokeRect(left + 1, top + 1, Math.max(1, right - left - 2), HEIGHT - 3);
  }
}

function label(context: CanvasRenderingContext2D, name: string, x: number, y: number, room: number, ink: string): void {
  context.save();
  context.beginPath();
  context.rect(x, y - HEIGHT / 2, room, HEIGHT);
  context.clip();
  context.fillStyle = ink;
  context.fillText(name, x, y);
  context.restore();
}
