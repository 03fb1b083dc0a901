/* MKL asks this before it asks which instructions the processor has; see mkl.py. */
int mkl_serv_intel_cpu_true(void) { return 1; }
