/** Where a model's words may lead: links to http(s) and mailto, pictures from https and in the text itself. */
export function safeUrl(url: string, key?: string): string | null {
  return (key === "src" ? isPicture(url) : isLink(url)) ? url : null;
}

export const isLink = (url: string): boolean => /^(https?:\/\/|mailto:)/i.test(url.trim());

/** A data address must be a picture; one in SVG is inert in an `<img>`. */
export const isPicture = (url: string): boolean => /^(https:\/\/|data:image\/(png|jpe?g|gif|webp|avif|svg\+xml)[;,])/i.test(url.trim());
