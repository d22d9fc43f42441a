/** The logo of the skin `cat`, and a plain one. */
export function Logo({ skin, size = 28 }: { skin: "cat" | "plain"; size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 64 64" aria-hidden="true" focusable="false" className="logo">
      {skin === "cat" ? <Cat /> : <Bubble />}
    </svg>
  );
}

const Cat = () => (
  <>
    <path className="fur" d="M10 29C10 18 9 9 11 6c1-1.6 3-1 4.5.3L24 14.3a27 27 0 0 1 16 0l8.5-8c1.5-1.3 3.5-1.9 4.5-.3 2 3 1 12 1 23 3 15-8 27-22 27S7 44 10 29z" />
    <path className="ear" d="M14.5 12.5c0 4 .3 6.5.8 9l5-4.5zM49.5 12.5c0 4-.3 6.5-.8 9l-5-4.5z" />
    <ellipse className="eye" cx="22.5" cy="31" rx="3.4" ry="4.6" />
    <ellipse className="eye" cx="41.5" cy="31" rx="3.4" ry="4.6" />
    <circle className="glint" cx="23.7" cy="29.2" r="1.1" />
    <circle className="glint" cx="42.7" cy="29.2" r="1.1" />
    <path className="nose" d="M28.8 38.5h6.4c.9 0 1.1 1 .5 1.6l-2.9 2.6c-.5.4-1.1.4-1.6 0l-2.9-2.6c-.6-.6-.4-1.6.5-1.6z" />
    <path className="line" d="M32 43v2.5c0 2.5-5 3.5-7 .8M32 45.5c0 2.5 5 3.5 7 .8M13 38l-8-1.500M13 42l-7.5 2M51 38l8-1.500M51 42l7.5 2" />
  </>
);

const Bubble = () => (
  <>
    <path className="fur" d="M14 8h36a8 8 0 0 1 8 8v22a8 8 0 0 1-8 8H32L19 57V46h-5a8 8 0 0 1-8-8V16a8 8 0 0 1 8-8z" />
    <path className="mark" d="M20 27h.1M32 27h.1M44 27h.1" />
  </>
);
