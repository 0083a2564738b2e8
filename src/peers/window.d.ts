import type { PeersPage } from "./main";

declare global {
  interface Window {
    peers: PeersPage;
  }
  /** The installed version of each runtime's package. */
  const __PEER_VERSIONS__: Readonly<
    Record<"onnxruntime-web" | "@tensorflow/tfjs-backend-webgpu" | "@jax-js/jax", string>
  >;
}
