/** Little drawings in the colour of the text beside them; they say nothing to those who cannot see them. */

const SHAPES = {
  pause: 'M5 3h2v10H5zM9 3h2v10H9z',
  play: 'M5 3l8 5-8 5z',
  clear: 'M6 3h8v10H6L1.5 8zM8 6l4 4M12 6l-4 4',
  theme: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 2v12',
  help: 'M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8zM6.2 6.4a1.8 1.8 0 1 1 2.6 1.7c-.5.2-.8.6-.8 1.2M8 11.2v.6',
  copy: 'M6 5.5h7v8H6zM10 5.5v-3H3v8h3',
  done: 'M3 8.5l3.5 3.5L13 4.5',
  close: 'M4 4l8 8M12 4l-8 8',
  search: 'M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.3 10.3L14 14',
  caret: 'M6 4l4 4-4 4',
  download: 'M8 2v8M5 7l3 3 3-3M3 13h10',
  link: 'M7 5l2-2a2.5 2.5 0 0 1 4 4l-2 2M9 11l-2 2a2.5 2.5 0 0 1-4-4l2-2M6 10l4-4',
  compare: 'M3 3h4v10H3zM9 5h4v8H9z',
  up: 'M8 13V3M4 7l4-4 4 4',
  back: 'M10 3L5 8l5 5',
} as const;

const FILLED: ReadonlySet<Shape> = new Set(['pause', 'play']);

export type Shape = keyof typeof SHAPES;

export function Icon({ shape }: { readonly shape: Shape }) {
  const filled = FILLED.has(shape);
  return (
    <svg class="icon" viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
      <path d={SHAPES[shape]} fill={filled ? 'currentColor' : 'none'} stroke={filled ? 'none' : 'currentColor'} stroke-width="1.4" stroke-linecap="round" stroke-linejoin="round" />
    </svg>
  );
}
