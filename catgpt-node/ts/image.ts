/** Pictures that travel in a message. */
import type { ImagePart } from "./data.js";
import { crossing } from "./errors.js";
import { native } from "./native.js";

type About = Pick<ImagePart, "alt" | "detail">;

const read = (image: () => string, about: About | undefined): ImagePart =>
  ({ type: "image", ...JSON.parse(crossing(image)), ...about }) as ImagePart;

export const Image = {
  /** A picture of these bytes: PNG, JPEG, GIF or WebP, told by the first of them. */
  fromBytes: (bytes: Uint8Array, about?: About): ImagePart => read(() => native.readImage(bytes), about),
  /** The same from a file. */
  load: (path: string, about?: About): ImagePart => read(() => native.loadImage(path), about),
};
