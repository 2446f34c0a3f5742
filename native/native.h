/* What the parts of the compiled module share. */

#ifndef SYNAPSE_OTEL_NATIVE_H
#define SYNAPSE_OTEL_NATIVE_H

#define Py_LIMITED_API 0x030b0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#ifdef Py_GIL_DISABLED
#error "needs the interpreter's lock"
#endif
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "writes numbers as they lie in memory"
#endif

enum { HEADER = 24, MARK = 0xC1A7, BUFFER = 4096, LARGEST_PAYLOAD = 1 << 24, KIND_BRIEF = 17 };

typedef struct {
    unsigned char *at;
    unsigned char *end;
} Out;

/* Raise TypeError, and return 0, unless so many arguments were given as are wanted. */
int has_arguments(const char *name, Py_ssize_t count, Py_ssize_t wanted);

int add_writing_types(PyObject *module);
PyObject *native_encode_brief(PyObject *module, PyObject *const *given, Py_ssize_t count);
PyObject *native_encode_samples(PyObject *module, PyObject *const *given, Py_ssize_t count);
PyObject *native_read_frames(PyObject *module, PyObject *const *given, Py_ssize_t count);
PyObject *native_brief_run(PyObject *module, PyObject *const *given, Py_ssize_t count);

#endif
