/* The innermost act of a call, compiled: to encode a record, and to place its frame in a mapped segment.
 *
 * Each type and function has a twin in Python, which does the same, and does it alone where this is not there:
 * `PythonSpace`, `PythonProgressSlot` and `PythonCounterSlot` (journal/memory), `frames.encode`. What is written is the
 * same, byte by byte (tests/native). What is not plain is refused, and is done in Python: no Python code runs in here,
 * so that neither a signal's handler nor another thread comes between a number, its room and its bytes.
 */

#include "native.h"
#include <structmember.h>

#define XXH_INLINE_ALL
#include "xxhash.h"

enum { DATA_LIMIT = 1024, MOST_SAMPLES = 255 };
enum { KIND_SAMPLES = 32, SIGNAL_LOGS = 0, SIGNAL_METRICS = 1 };
enum { SLOT = 256, SLOT_VALUE = 128, SLOT_COPY = 64, PROGRESS_BODY = 56 };
static const double LEAST_FALL = 0.5;

/* --- MessagePack ------------------------------------------------------------------------------------------------ */

static int put_sized(Out *out, unsigned char mark, uint64_t value, int bytes)
{
    if (out->end - out->at < 1 + bytes)
        return -1;
    *out->at++ = mark;
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
        *out->at++ = (unsigned char)(value >> shift);
    return 0;
}

static int put_byte(Out *out, unsigned char byte)
{
    return put_sized(out, byte, 0, 0);
}

static int put_unsigned(Out *out, uint64_t value)
{
    if (value < 0x80)
        return put_byte(out, (unsigned char)value);
    if (value <= 0xff)
        return put_sized(out, 0xcc, value, 1);
    if (value <= 0xffff)
        return put_sized(out, 0xcd, value, 2);
    if (value <= 0xffffffff)
        return put_sized(out, 0xce, value, 4);
    return put_sized(out, 0xcf, value, 8);
}

static int put_signed(Out *out, int64_t value)
{
    if (value >= 0)
        return put_unsigned(out, (uint64_t)value);
    if (value >= -32)
        return put_byte(out, (unsigned char)value);
    if (value >= INT8_MIN)
        return put_sized(out, 0xd0, (uint64_t)value, 1);
    if (value >= INT16_MIN)
        return put_sized(out, 0xd1, (uint64_t)value, 2);
    if (value >= INT32_MIN)
        return put_sized(out, 0xd2, (uint64_t)value, 4);
    return put_sized(out, 0xd3, (uint64_t)value, 8);
}

static int put_double(Out *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return put_sized(out, 0xcb, bits, 8);
}

/* Return -1, with no error set, for what has to go the way of Python. */
static int put_integer(Out *out, PyObject *value)
{
    int overflow;
    long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (!overflow)
        return put_signed(out, number);
    if (overflow < 0)
        return -1;
    unsigned long long large = PyLong_AsUnsignedLongLong(value);
    if (large == (unsigned long long)-1 && PyErr_Occurred()) {
        PyErr_Clear();
        return -1;
    }
    return put_unsigned(out, large);
}

static int put_text(Out *out, PyObject *text)
{
    Py_ssize_t size;
    const char *bytes = PyUnicode_AsUTF8AndSize(text, &size);
    if (bytes == NULL) { /* a lone surrogate */
        PyErr_Clear();
        return -1;
    }
    int failed = size < 32      ? put_byte(out, (unsigned char)(0xa0 | size))
                 : size < 256   ? put_sized(out, 0xd9, (uint64_t)size, 1)
                 : size < 65536 ? put_sized(out, 0xda, (uint64_t)size, 2)
                                : -1;
    if (failed || out->end - out->at < size)
        return -1;
    memcpy(out->at, bytes, (size_t)size);
    out->at += size;
    return 0;
}

static int put_count(Out *out, Py_ssize_t count, unsigned char few, unsigned char many)
{
    if (count < 16)
        return put_byte(out, (unsigned char)(few | count));
    return count < 65536 ? put_sized(out, many, (uint64_t)count, 2) : -1;
}

static int put_simple(Out *out, PyObject *value)
{
    if (Py_IS_TYPE(value, &PyUnicode_Type))
        return put_text(out, value);
    if (Py_IS_TYPE(value, &PyLong_Type))
        return put_integer(out, value);
    if (Py_IS_TYPE(value, &PyFloat_Type))
        return put_double(out, PyFloat_AsDouble(value));
    if (value == Py_None)
        return put_byte(out, 0xc0);
    if (value == Py_False)
        return put_byte(out, 0xc2);
    return value == Py_True ? put_byte(out, 0xc3) : -1;
}

static int put_data(Out *out, PyObject *data, PyObject *plain)
{
    PyObject *key, *value;
    Py_ssize_t place = 0;
    if (put_count(out, PyDict_Size(data), 0x80, 0xde))
        return -1;
    while (PyDict_Next(data, &place, &key, &value)) {
        if (!Py_IS_TYPE(key, &PyUnicode_Type))
            return -1;
        int known = PySet_Contains(plain, key);
        if (known != 1) {
            PyErr_Clear();
            return -1;
        }
        if (put_text(out, key) || put_simple(out, value))
            return -1;
    }
    return 0;
}

/* The payload of a brief log record; arguments: time, template, body, data, plain keys. */
static int put_brief(Out *out, PyObject *const *given)
{
    unsigned char *begin = out->at;
    PyObject *time = given[0], *number = given[1], *body = given[2], *data = given[3], *plain = given[4];
    if (!Py_IS_TYPE(time, &PyLong_Type) || !Py_IS_TYPE(number, &PyLong_Type) || !PySet_Check(plain))
        return -1;
    if (put_byte(out, 0x94) || put_integer(out, time) || put_integer(out, number))
        return -1;
    if (body != Py_None && !Py_IS_TYPE(body, &PyUnicode_Type))
        return -1;
    if (put_simple(out, body))
        return -1;
    if (data == Py_None)
        return put_byte(out, 0xc0);
    if (!Py_IS_TYPE(data, &PyDict_Type) || put_data(out, data, plain))
        return -1;
    return out->at - begin <= DATA_LIMIT ? 0 : -1;
}

/* The payload of samples; arguments: time, numbers of series by name, values by name. Returns how many there are. */
static Py_ssize_t put_samples(Out *out, PyObject *const *given)
{
    PyObject *name, *value, *time = given[0], *series = given[1], *values = given[2];
    Py_ssize_t place = 0;
    if (!Py_IS_TYPE(time, &PyLong_Type) || !PyDict_Check(series) || !Py_IS_TYPE(values, &PyDict_Type))
        return -1;
    Py_ssize_t count = PyDict_Size(values);
    if (count < 1 || count > MOST_SAMPLES)
        return -1;
    if (put_byte(out, 0x92) || put_integer(out, time) || put_count(out, 2 * count, 0x90, 0xdc))
        return -1;
    while (PyDict_Next(values, &place, &name, &value)) {
        if (!Py_IS_TYPE(name, &PyUnicode_Type))
            return -1;
        PyObject *number = PyDict_GetItemWithError(series, name);
        if (number == NULL || !Py_IS_TYPE(number, &PyLong_Type)) {
            PyErr_Clear();
            return -1;
        }
        if (put_integer(out, number))
            return -1;
        if (Py_IS_TYPE(value, &PyFloat_Type)) {
            double found = PyFloat_AsDouble(value);
            if (found - found != 0 || put_double(out, found))
                return -1;
        } else if (!Py_IS_TYPE(value, &PyLong_Type) || put_integer(out, value))
            return -1;
    }
    return count;
}

/* --- frames ----------------------------------------------------------------------------------------------------- */

static void put_header(unsigned char *at, const unsigned char *payload, uint32_t length, int kind, int count,
                       uint64_t sequence)
{
    uint16_t mark = MARK;
    uint64_t check = XXH3_64bits_withSeed(payload, length, sequence + ((uint64_t)kind << 56) + ((uint64_t)count << 48));
    memcpy(at, &mark, 2);
    at[2] = (unsigned char)kind;
    at[3] = (unsigned char)count;
    memcpy(at + 4, &length, 4);
    memcpy(at + 8, &check, 8);
    memcpy(at + 16, &sequence, 8);
}

typedef struct {
    PyObject_HEAD
    Py_buffer view;
    Py_ssize_t at;
    Py_ssize_t room;
    PyObject *numbers;
} Space;

/* Let go of memory; the buffer's own release leaves the address in it. */
static void drop_view(Py_buffer *view)
{
    Py_buffer held = *view;
    memset(view, 0, sizeof *view);
    PyBuffer_Release(&held);
}

static int space_init(PyObject *object, PyObject *arguments, PyObject *named)
{
    Space *self = (Space *)object;
    PyObject *memory;
    Py_ssize_t size;
    static char *names[] = {"memory", "size", NULL};
    if (!PyArg_ParseTupleAndKeywords(arguments, named, "On", names, &memory, &size))
        return -1;
    Py_buffer view;
    if (PyObject_GetBuffer(memory, &view, PyBUF_WRITABLE) < 0)
        return -1;
    if (size < 0 || size > view.len) {
        PyBuffer_Release(&view);
        PyErr_SetString(PyExc_ValueError, "the memory is smaller than size");
        return -1;
    }
    drop_view(&self->view);
    self->view = view;
    self->at = 0;
    self->room = size;
    return 0;
}

/* The collector is not told of the memory's owner: it clears a memoryview in a cycle before who has exported it lets go,
 * which CPython does not survive. Nothing leads from there back to here, so nothing is kept for ever by that. */
static int space_traverse(PyObject *object, visitproc visit, void *arg)
{
    Space *self = (Space *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->numbers);
    return 0;
}

static int space_clear(PyObject *object)
{
    Space *self = (Space *)object;
    drop_view(&self->view);
    Py_CLEAR(self->numbers);
    return 0;
}

static void free_object(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

static void space_dealloc(PyObject *object)
{
    PyObject_GC_UnTrack(object);
    space_clear(object);
    free_object(object);
}

/* Take room for a frame, and fill it. Returns 1; 0 where there is no room; -1 with an error. */
static int place(Space *self, const unsigned char *payload, Py_ssize_t length, int kind, int signal, int count)
{
    Py_ssize_t end = self->at + HEADER + length;
    if (self->view.buf == NULL || length < 0 || end > self->room || end > self->view.len || self->at < 0)
        return 0;
    uint64_t sequence = 0;
    if (count) {
        if (self->numbers == NULL || !PyList_Check(self->numbers))
            return 0;
        PyObject *before = PyList_GetItem(self->numbers, signal);
        if (before == NULL)
            return -1;
        sequence = PyLong_AsUnsignedLongLong(before);
        if (sequence == (uint64_t)-1 && PyErr_Occurred())
            return -1;
        PyObject *after = PyLong_FromUnsignedLongLong(sequence + (uint64_t)count);
        if (after == NULL || PyList_SetItem(self->numbers, signal, after) < 0)
            return -1;
    }
    unsigned char *to = (unsigned char *)self->view.buf + self->at;
    self->at = end;
    put_header(to, payload, (uint32_t)length, kind, count, sequence);
    memcpy(to + HEADER, payload, (size_t)length);
    return 1;
}

static PyObject *placed(int result)
{
    return result < 0 ? NULL : PyBool_FromLong(result);
}

static PyObject *space_append(PyObject *object, PyObject *const *given, Py_ssize_t count)
{
    char *payload;
    Py_ssize_t length;
    if (!has_arguments("append", count, 4) || PyBytes_AsStringAndSize(given[2], &payload, &length) < 0)
        return NULL;
    long kind = PyLong_AsLong(given[0]), signal = PyLong_AsLong(given[1]), records = PyLong_AsLong(given[3]);
    if (PyErr_Occurred())
        return NULL;
    if (kind < 1 || kind > 255 || signal < 0 || records < 0 || records > 255) {
        PyErr_SetString(PyExc_ValueError, "kind, signal or count is out of range");
        return NULL;
    }
    return placed(place((Space *)object, (unsigned char *)payload, length, (int)kind, (int)signal, (int)records));
}

static PyObject *space_append_brief(PyObject *object, PyObject *const *given, Py_ssize_t count)
{
    unsigned char buffer[BUFFER];
    Out out = {buffer, buffer + BUFFER};
    if (!has_arguments("append_brief", count, 5))
        return NULL;
    if (put_brief(&out, given))
        Py_RETURN_FALSE;
    return placed(place((Space *)object, buffer, out.at - buffer, KIND_BRIEF, SIGNAL_LOGS, 1));
}

static PyObject *space_append_samples(PyObject *object, PyObject *const *given, Py_ssize_t count)
{
    unsigned char buffer[BUFFER];
    Out out = {buffer, buffer + BUFFER};
    if (!has_arguments("append_samples", count, 3))
        return NULL;
    Py_ssize_t samples = put_samples(&out, given);
    if (samples < 0)
        Py_RETURN_FALSE;
    return placed(place((Space *)object, buffer, out.at - buffer, KIND_SAMPLES, SIGNAL_METRICS, (int)samples));
}

static PyObject *space_write(PyObject *object, PyObject *data)
{
    Space *self = (Space *)object;
    char *bytes;
    Py_ssize_t length;
    if (PyBytes_AsStringAndSize(data, &bytes, &length) < 0)
        return NULL;
    if (self->view.buf == NULL || self->at < 0 || self->at + length > self->view.len) {
        PyErr_SetString(PyExc_ValueError, "there is no room");
        return NULL;
    }
    unsigned char *to = (unsigned char *)self->view.buf + self->at;
    self->at += length;
    memcpy(to, bytes, (size_t)length);
    Py_RETURN_NONE;
}

static PyObject *space_release(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    ((Space *)object)->room = -1;
    drop_view(&((Space *)object)->view);
    Py_RETURN_NONE;
}

static PyMethodDef space_methods[] = {
    {"append", (PyCFunction)(void (*)(void))space_append, METH_FASTCALL, NULL},
    {"append_brief", (PyCFunction)(void (*)(void))space_append_brief, METH_FASTCALL, NULL},
    {"append_samples", (PyCFunction)(void (*)(void))space_append_samples, METH_FASTCALL, NULL},
    {"write", space_write, METH_O, NULL},
    {"release", space_release, METH_NOARGS, NULL},
    {NULL},
};

static PyMemberDef space_members[] = {
    {"at", T_PYSSIZET, offsetof(Space, at), 0, NULL},
    {"room", T_PYSSIZET, offsetof(Space, room), 0, NULL},
    {"numbers", T_OBJECT, offsetof(Space, numbers), 0, NULL},
    {NULL},
};

static PyType_Slot space_slots[] = {
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, space_init},
    {Py_tp_dealloc, space_dealloc},
    {Py_tp_traverse, space_traverse},
    {Py_tp_clear, space_clear},
    {Py_tp_methods, space_methods},
    {Py_tp_members, space_members},
    {0, NULL},
};

static PyType_Spec space_spec = {
    .name = "synapse_otel._native.Space",
    .basicsize = sizeof(Space),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = space_slots,
};

/* --- slots of the state block ----------------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    Py_buffer view;
    Py_ssize_t offset;
    uint64_t count; /* of a counter; of progress, how often it was set */
    double high;
    double items;
    double start_current;
    int64_t start;
} Slot;

static int slot_set_buffer(PyObject *object, PyObject *memory, void *Py_UNUSED(closure))
{
    Slot *self = (Slot *)object;
    Py_buffer view;
    if (memory == NULL) {
        PyErr_SetString(PyExc_TypeError, "a slot needs a buffer");
        return -1;
    }
    if (PyObject_GetBuffer(memory, &view, PyBUF_WRITABLE) < 0)
        return -1;
    if (self->offset < 0 || self->offset + SLOT > view.len) {
        PyBuffer_Release(&view);
        PyErr_SetString(PyExc_ValueError, "the slot is outside of the buffer");
        return -1;
    }
    Py_buffer before = self->view;
    self->view = view;
    PyBuffer_Release(&before);
    return 0;
}

static PyObject *slot_get_buffer(PyObject *object, void *Py_UNUSED(closure))
{
    PyObject *memory = ((Slot *)object)->view.obj;
    return Py_NewRef(memory ? memory : Py_None);
}

static int slot_init(PyObject *object, PyObject *arguments, PyObject *named)
{
    Slot *self = (Slot *)object;
    PyObject *memory;
    static char *names[] = {"buffer", "offset", NULL};
    if (!PyArg_ParseTupleAndKeywords(arguments, named, "On", names, &memory, &self->offset))
        return -1;
    self->count = 0;
    self->high = -1.0;
    self->items = self->start_current = 0.0;
    self->start = 0;
    return slot_set_buffer(object, memory, NULL);
}

static int slot_traverse(PyObject *object, visitproc visit, void *arg) /* as above */
{
    Py_VISIT(Py_TYPE(object));
    return 0;
}

static int slot_clear(PyObject *object)
{
    drop_view(&((Slot *)object)->view);
    return 0;
}

static void slot_dealloc(PyObject *object)
{
    PyObject_GC_UnTrack(object);
    slot_clear(object);
    free_object(object);
}

static unsigned char *slot_memory(Slot *self)
{
    if (self->view.buf == NULL) {
        PyErr_SetString(PyExc_ValueError, "the slot has no buffer");
        return NULL;
    }
    return (unsigned char *)self->view.buf + self->offset + SLOT_VALUE;
}

static PyObject *counter_add(PyObject *object, PyObject *const *given, Py_ssize_t count)
{
    Slot *self = (Slot *)object;
    long long number = 1;
    if (count > 1) {
        PyErr_SetString(PyExc_TypeError, "add takes one number");
        return NULL;
    }
    if (count) {
        number = PyLong_AsLongLong(given[0]);
        if (number == -1 && PyErr_Occurred())
            return NULL;
    }
    if (number < 0 && self->count < (uint64_t)-number) {
        PyErr_SetString(PyExc_OverflowError, "a counter does not fall below 0");
        return NULL;
    }
    unsigned char *to = slot_memory(self);
    if (to == NULL)
        return NULL;
    self->count += (uint64_t)number;
    memcpy(to, &self->count, 8);
    Py_RETURN_NONE;
}

static PyObject *counter_value(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromUnsignedLongLong(((Slot *)object)->count);
}

static void begin_pass(Slot *self, double current, int64_t now)
{
    self->items += current;
    self->high = current;
    self->start = now;
    self->start_current = current;
}

static PyObject *progress_set(PyObject *object, PyObject *const *given, Py_ssize_t count)
{
    Slot *self = (Slot *)object;
    if (!has_arguments("set", count, 3))
        return NULL;
    double current = PyFloat_AsDouble(given[0]); /* may run the number's own code: before anything is changed */
    if (current == -1.0 && PyErr_Occurred())
        return NULL;
    double limit = PyFloat_AsDouble(given[1]);
    if (limit == -1.0 && PyErr_Occurred())
        return NULL;
    int64_t now = PyLong_AsLongLong(given[2]);
    if (now == -1 && PyErr_Occurred())
        return NULL;
    unsigned char *to = slot_memory(self);
    if (to == NULL)
        return NULL;
    if (current > self->high) {
        if (self->high >= 0)
            self->items += current - self->high;
        else
            begin_pass(self, current, now);
        self->high = current;
    } else if (current < self->high * LEAST_FALL)
        begin_pass(self, current, now);
    uint64_t sequence = ++self->count;
    struct {
        uint64_t check, sequence;
        double current, limit;
        int64_t now, start;
        double start_current, items;
    } copy = {0, sequence, current, limit, now, self->start, self->start_current, self->items};
    copy.check = XXH3_64bits(&copy.sequence, PROGRESS_BODY);
    memcpy(to + (sequence & 1) * SLOT_COPY, &copy, sizeof copy);
    Py_RETURN_NONE;
}

static PyMemberDef slot_members[] = {
    {"offset", T_PYSSIZET, offsetof(Slot, offset), READONLY, NULL},
    {NULL},
};

static PyGetSetDef slot_properties[] = {
    {"buffer", slot_get_buffer, slot_set_buffer, NULL, NULL},
    {NULL},
};

static PyMethodDef counter_methods[] = {
    {"add", (PyCFunction)(void (*)(void))counter_add, METH_FASTCALL, NULL},
    {"value", counter_value, METH_NOARGS, NULL},
    {NULL},
};

static PyMethodDef progress_methods[] = {
    {"set", (PyCFunction)(void (*)(void))progress_set, METH_FASTCALL, NULL},
    {NULL},
};

#define SLOT_TYPE(methods)                                                                                             \
    {                                                                                                                  \
        {Py_tp_new, PyType_GenericNew}, {Py_tp_init, slot_init}, {Py_tp_dealloc, slot_dealloc},                        \
            {Py_tp_traverse, slot_traverse}, {Py_tp_clear, slot_clear}, {Py_tp_methods, methods},                      \
            {Py_tp_members, slot_members}, {Py_tp_getset, slot_properties}, {0, NULL},                                 \
    }

static PyType_Slot counter_slots[] = SLOT_TYPE(counter_methods);
static PyType_Slot progress_slots[] = SLOT_TYPE(progress_methods);

static PyType_Spec counter_spec = {
    .name = "synapse_otel._native.CounterSlot",
    .basicsize = sizeof(Slot),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = counter_slots,
};

static PyType_Spec progress_spec = {
    .name = "synapse_otel._native.ProgressSlot",
    .basicsize = sizeof(Slot),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = progress_slots,
};

PyObject *native_encode_brief(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count)
{
    unsigned char buffer[BUFFER];
    Out out = {buffer, buffer + BUFFER};
    if (!has_arguments("encode_brief", count, 5))
        return NULL;
    if (put_brief(&out, given))
        Py_RETURN_NONE;
    return PyBytes_FromStringAndSize((char *)buffer, out.at - buffer);
}

PyObject *native_encode_samples(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count)
{
    unsigned char buffer[BUFFER];
    Out out = {buffer, buffer + BUFFER};
    if (!has_arguments("encode_samples", count, 3))
        return NULL;
    if (put_samples(&out, given) < 0)
        Py_RETURN_NONE;
    return PyBytes_FromStringAndSize((char *)buffer, out.at - buffer);
}

static int add_type(PyObject *module, PyType_Spec *spec)
{
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
    int failed = type == NULL || PyModule_AddType(module, (PyTypeObject *)type) < 0;
    Py_XDECREF(type);
    return failed ? -1 : 0;
}

int add_writing_types(PyObject *module)
{
    return add_type(module, &space_spec) || add_type(module, &counter_spec) || add_type(module, &progress_spec);
}
