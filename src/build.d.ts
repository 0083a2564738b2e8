/** Set by the build: the package's version, and the commit it was built from. */
declare const __VERSION__: string;
declare const __COMMIT__: string;
/** Whether this build drives browsers: the one for GPU servers does not. */
declare const __BROWSERS__: boolean;
