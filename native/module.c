/* The module `synapse_otel._native`: what `write.c` and `read.c` do, for Python. */

#include "native.h"

int has_arguments(const char *name, Py_ssize_t count, Py_ssize_t wanted)
{
    if (count == wanted)
        return 1;
    PyErr_Format(PyExc_TypeError, "%s takes %zd arguments, not %zd", name, wanted, count);
    return 0;
}

#define FUNCTION(name) {#name, (PyCFunction)(void (*)(void))native_##name, METH_FASTCALL, NULL}

static PyMethodDef native_functions[] = {
    FUNCTION(encode_brief), FUNCTION(encode_samples), FUNCTION(read_frames), FUNCTION(brief_run), {NULL},
};

static int native_exec(PyObject *module)
{
    return add_writing_types(module) ? -1 : 0;
}

static PyModuleDef_Slot native_slots[] = {
    {Py_mod_exec, native_exec},
    {0, NULL},
};

static struct PyModuleDef native_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "synapse_otel._native",
    .m_methods = native_functions,
    .m_slots = native_slots,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&native_module);
}
