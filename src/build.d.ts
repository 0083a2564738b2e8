/** Set by the build: the package's version, and the commit it was built from. */
declare const __VERSION__: string;
declare const __COMMIT__: string;
