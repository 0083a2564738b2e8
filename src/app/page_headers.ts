// The headers that the page is served with.

/** Timers are finest in a cross-origin isolated page. */
export const isolationHeaders = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

/**
 * Nothing from elsewhere, nothing inline, nothing evaluated. The server sends it as a header; the build
 * writes it into the page, for hosts whose headers one cannot set.
 */
export const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");
