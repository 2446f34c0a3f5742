/* The shipper's part, compiled: to check and take apart the frames of a journal, and to encode a brief record as OTLP.
 *
 * The twins in Python are `read_chunk` (journal/reader.py) and `BriefEncoder.encode` (otlp/encode/brief_logs.py): what
 * is encoded is the same, byte by byte (tests/native). What is not plain is refused, and is done in Python: a text that
 * may hold a credential, one that is not ASCII, an unknown template, a value that is no scalar.
 */

#include "native.h"

#define XXH_INLINE_ALL
#include "xxhash.h"

enum { MOST_KEYS = 32, UID_DIGITS = 16 };
static const uint64_t BRIEF_FRAME = (uint64_t)1 << 24 | KIND_BRIEF << 16 | MARK; /* how the frame of one record begins */

/* --- frames ----------------------------------------------------------------------------------------------------- */

static uint64_t load(const unsigned char *at, int bytes)
{
    uint64_t value = 0;
    memcpy(&value, at, (size_t)bytes);
    return value;
}

static PyObject *bare_frame(const unsigned char *at, uint32_t length, uint64_t sequence, long long end)
{
    PyObject *parts[] = {
        PyLong_FromLong(at[2]),
        PyLong_FromLong(at[3]),
        PyLong_FromUnsignedLongLong(sequence),
        PyBytes_FromStringAndSize((const char *)at + HEADER, length),
        PyLong_FromLongLong(end),
    };
    PyObject *made = NULL;
    if (parts[0] && parts[1] && parts[2] && parts[3] && parts[4])
        made = PyTuple_Pack(5, parts[0], parts[1], parts[2], parts[3], parts[4]);
    for (int part = 0; part < 5; part++)
        Py_XDECREF(parts[part]);
    return made;
}

/* Whether there is a complete frame, which is as its checksum says; else 0, and how large it is, or 0 if it is none. */
static int is_whole(const unsigned char *at, Py_ssize_t room, Py_ssize_t *size)
{
    uint32_t length = (uint32_t)load(at + 4, 4);
    uint64_t seed = load(at + 16, 8) + ((uint64_t)at[2] << 56) + ((uint64_t)at[3] << 48);
    *size = HEADER + (Py_ssize_t)length;
    if (load(at, 2) != MARK || !at[2] || length > LARGEST_PAYLOAD)
        *size = 0;
    else if (*size <= room && XXH3_64bits_withSeed(at + HEADER, length, seed) == load(at + 8, 8))
        return 1;
    else if (*size <= room)
        *size = 0;
    return 0;
}

static int add_bare_frame(PyObject *bare, Py_ssize_t number, const char *data, Py_ssize_t place, long long start)
{
    const unsigned char *at = (const unsigned char *)data + place;
    uint32_t length = (uint32_t)load(at + 4, 4);
    PyObject *frame = bare_frame(at, length, load(at + 16, 8), start + place + HEADER + length);
    int failed = frame == NULL || PyList_Insert(bare, number, frame) < 0;
    Py_XDECREF(frame);
    return failed ? -1 : 0;
}

/* Arguments: bytes of a segment, their offset in it, and the kinds of frames of which the last one is enough. Returns
 * the complete frames, the size of all of them, and that of the next one: as in `Chunk`. */
PyObject *native_read_frames(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count)
{
    char *data, *skip;
    Py_ssize_t size, skipped, place = 0, wanted = HEADER, taken = 0, last = -1, last_number = 0;
    if (!has_arguments("read_frames", count, 3) || PyBytes_AsStringAndSize(given[0], &data, &size) < 0 ||
        PyBytes_AsStringAndSize(given[2], &skip, &skipped) < 0)
        return NULL;
    long long start = PyLong_AsLongLong(given[1]);
    if (start == -1 && PyErr_Occurred())
        return NULL;
    PyObject *bare = PyList_New(0);
    while (bare != NULL && place + HEADER <= size) {
        const unsigned char *at = (const unsigned char *)data + place;
        Py_ssize_t frame;
        if (!is_whole(at, size - place, &frame)) {
            wanted = frame;
            break;
        }
        if (memchr(skip, at[2], (size_t)skipped) != NULL) {
            last = place;
            last_number = taken;
        } else if (add_bare_frame(bare, taken++, data, place, start) < 0)
            Py_CLEAR(bare);
        place += frame;
    }
    if (bare != NULL && last >= 0 && add_bare_frame(bare, last_number, data, last, start) < 0)
        Py_CLEAR(bare);
    return bare == NULL ? NULL : Py_BuildValue("(Nnn)", bare, place, wanted);
}

/* --- MessagePack ------------------------------------------------------------------------------------------------ */

typedef struct {
    const unsigned char *at;
    const unsigned char *end;
} In;

typedef struct {
    const unsigned char *at;
    Py_ssize_t size;
} Text;

static int get_big(In *in, int bytes, uint64_t *value)
{
    if (in->end - in->at < bytes)
        return -1;
    for (*value = 0; bytes; bytes--)
        *value = *value << 8 | *in->at++;
    return 0;
}

/* An integer that is not negative. */
static int get_unsigned(In *in, uint64_t *value)
{
    if (in->at == in->end)
        return -1;
    unsigned char mark = *in->at++;
    *value = mark;
    return mark < 0x80 ? 0 : mark >= 0xcc && mark <= 0xcf ? get_big(in, 1 << (mark - 0xcc), value) : -1;
}

static int get_text(In *in, Text *text)
{
    uint64_t size;
    if (in->at == in->end)
        return -1;
    unsigned char mark = *in->at++;
    if (mark >= 0xa0 && mark <= 0xbf)
        size = mark & 0x1f;
    else if (mark < 0xd9 || mark > 0xdb || get_big(in, 1 << (mark - 0xd9), &size))
        return -1;
    if (size > (uint64_t)(in->end - in->at))
        return -1;
    text->at = in->at;
    text->size = (Py_ssize_t)size;
    in->at += size;
    return 0;
}

static int get_count(In *in, uint64_t *count)
{
    if (in->at == in->end)
        return -1;
    unsigned char mark = *in->at++;
    *count = mark & 0x0f;
    return (mark & 0xf0) == 0x80 ? 0 : mark == 0xde ? get_big(in, 2, count) : -1;
}

/* --- texts ------------------------------------------------------------------------------------------------------ */

static int is_ascii(Text text)
{
    for (Py_ssize_t place = 0; place < text.size; place++)
        if (text.at[place] & 0x80)
            return 0;
    return 1;
}

static int follows(Text text, Py_ssize_t place, const char *what, int any_case)
{
    for (; *what; what++, place++)
        if (place >= text.size || (any_case ? (text.at[place] | 0x20) : text.at[place]) != (unsigned char)*what)
            return 0;
    return 1;
}

/* By its first letter, what each credential that `redact_text` finds by itself has in it, without that letter. */
static const char *const credentials[128][8] = {
    ['A'] = {"KIA", "SIA", "Iza", "uthorization"},
    ['B'] = {"earer", "asic"},
    ['C'] = {"ookie"},
    ['S'] = {"G."},
    ['a'] = {"uthorization"},
    ['b'] = {"earer", "asic"},
    ['c'] = {"ookie"},
    ['d'] = {"api", "ckr_pat_", "oo_v1_", "op_v1_", "or_v1_"},
    ['e'] = {"yJ"},
    ['g'] = {"ho_", "hp_", "hr_", "hs_", "hu_", "ithub_pat_", "lpat-"},
    ['h'] = {"f_", "ooks.", "vs."},
    ['l'] = {"ogin"},
    ['n'] = {"pm_"},
    ['p'] = {"ypi-"},
    ['r'] = {"k_"},
    ['s'] = {"k-", "k_"},
    ['x'] = {"app-", "ox"},
    ['y'] = {"a29."},
    ['-'] = {"----", "u"},
    [':'] = {"//"},
};

static int begins_credential(Text text, Py_ssize_t place)
{
    for (const char *const *rest = credentials[text.at[place] & 0x7f]; *rest; rest++)
        if (follows(text, place + 1, *rest, 0))
            return 1;
    return 0;
}

/* Whether `redact_text` may find a credential: every pattern of redaction.py has one of these marks in it. */
static int is_suspect(Text text)
{
    int separated = 0, named = 0, asked = 0, signature = 0;
    for (Py_ssize_t place = 0; place < text.size; place++) {
        if (begins_credential(text, place))
            return 1;
        switch (text.at[place]) {
        case ':':
        case '=':
            separated = 1;
            break;
        case '-':
            separated |= follows(text, place + 1, "-", 0); /* an option of a command line */
            break;
        case '?':
        case '&':
            asked = 1;
            break;
        case 's':
        case 'S':
            named |= follows(text, place + 1, "ecret", 1);
            signature |= follows(text, place + 1, "ig", 0);
            break;
        case 't':
        case 'T':
            named |= follows(text, place + 1, "oken", 1);
            break;
        case 'p':
        case 'P':
            named |= follows(text, place + 1, "ass", 1);
            break;
        case ';':
            named |= follows(text, place + 1, "pwd", 1);
            break;
        case 'k':
        case 'K':
            named |= follows(text, place + 1, "ey", 1);
            break;
        }
    }
    return separated && (named || (asked && signature));
}

/* Get a text that nothing is to be hidden in; of one that was known before, what is to be sent of it. */
static int get_clean_text(In *in, PyObject *texts, Text *text)
{
    if (get_text(in, text))
        return -1;
    if (is_ascii(*text) && !is_suspect(*text))
        return 0;
    PyObject *key = PyUnicode_DecodeUTF8((const char *)text->at, text->size, "strict");
    PyObject *known = key == NULL ? NULL : PyDict_GetItemWithError(texts, key);
    Py_XDECREF(key);
    char *clean;
    if (known == NULL || PyBytes_AsStringAndSize(known, &clean, &text->size) < 0) {
        PyErr_Clear();
        return -1;
    }
    text->at = (const unsigned char *)clean; /* the dictionary holds it, and nobody else runs meanwhile */
    return 0;
}

/* --- protobuf --------------------------------------------------------------------------------------------------- */

static int varint_size(uint64_t value)
{
    int size = 1;
    for (; value > 0x7f; value >>= 7)
        size++;
    return size;
}

static void put_varint(Out *out, uint64_t value)
{
    for (; value > 0x7f; value >>= 7)
        *out->at++ = (unsigned char)(value | 0x80);
    *out->at++ = (unsigned char)value;
}

static void put_raw(Out *out, const void *bytes, Py_ssize_t size)
{
    memcpy(out->at, bytes, (size_t)size);
    out->at += size;
}

/* A value of an attribute: the tag of its kind in AnyValue, 0 for none, and what stands behind. */
typedef struct {
    unsigned char tag;
    uint64_t number;
    Text text;
} Value;

enum { TAG_STRING = 0x0a, TAG_BOOL = 0x10, TAG_INT = 0x18, TAG_DOUBLE = 0x21 };

static Py_ssize_t value_size(const Value *value)
{
    switch (value->tag) {
    case 0:
        return 0;
    case TAG_STRING:
        return 1 + varint_size((uint64_t)value->text.size) + value->text.size;
    case TAG_DOUBLE:
        return 9;
    default:
        return 1 + varint_size(value->number);
    }
}

static void put_value(Out *out, const Value *value)
{
    if (!value->tag)
        return;
    *out->at++ = value->tag;
    if (value->tag == TAG_STRING) {
        put_varint(out, (uint64_t)value->text.size);
        put_raw(out, value->text.at, value->text.size);
    } else if (value->tag == TAG_DOUBLE)
        put_raw(out, &value->number, 8);
    else
        put_varint(out, value->number);
}

static int put_attribute(Out *out, Text prefix, Text key, const Value *value)
{
    Py_ssize_t own = value_size(value), name = prefix.size + key.size;
    Py_ssize_t whole = 1 + varint_size((uint64_t)name) + name + 1 + varint_size((uint64_t)own) + own;
    if (out->end - out->at < 1 + varint_size((uint64_t)whole) + whole)
        return -1;
    *out->at++ = 0x32;
    put_varint(out, (uint64_t)whole);
    *out->at++ = 0x0a;
    put_varint(out, (uint64_t)name);
    put_raw(out, prefix.at, prefix.size);
    put_raw(out, key.at, key.size);
    *out->at++ = 0x12;
    put_varint(out, (uint64_t)own);
    put_value(out, value);
    return 0;
}

static int put_time(Out *out, unsigned char tag, uint64_t time)
{
    if (out->end - out->at < 9)
        return -1;
    *out->at++ = tag;
    put_raw(out, &time, 8);
    return 0;
}

/* --- brief records ---------------------------------------------------------------------------------------------- */

static int get_value(In *in, PyObject *texts, Value *value)
{
    uint64_t raw;
    if (in->at == in->end)
        return -1;
    unsigned char mark = *in->at;
    if (mark < 0x80 || (mark >= 0xcc && mark <= 0xcf)) {
        value->tag = TAG_INT;
        return get_unsigned(in, &value->number) || value->number >> 63 ? -1 : 0;
    }
    if ((mark >= 0xa0 && mark <= 0xbf) || (mark >= 0xd9 && mark <= 0xdb)) {
        value->tag = TAG_STRING;
        return get_clean_text(in, texts, &value->text);
    }
    in->at++;
    if (mark >= 0xe0) {
        value->tag = TAG_INT;
        value->number = (uint64_t)(int64_t)(int8_t)mark;
        return 0;
    }
    switch (mark) {
    case 0xc0:
        value->tag = 0;
        return 0;
    case 0xc2:
    case 0xc3:
        value->tag = TAG_BOOL;
        value->number = mark & 1;
        return 0;
    case 0xcb:
        value->tag = TAG_DOUBLE;
        return get_big(in, 8, &value->number);
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
        value->tag = TAG_INT;
        if (get_big(in, 1 << (mark - 0xd0), &raw))
            return -1;
        value->number = mark == 0xd0   ? (uint64_t)(int64_t)(int8_t)raw
                        : mark == 0xd1 ? (uint64_t)(int64_t)(int16_t)raw
                        : mark == 0xd2 ? (uint64_t)(int64_t)(int32_t)raw
                                       : raw;
        return value->number >> 63 ? 0 : -1; /* one that is not negative is not written like this */
    }
    return -1;
}

static int put_data(Out *out, In *in, Text prefix, PyObject *texts)
{
    Text keys[MOST_KEYS];
    uint64_t count;
    if (get_count(in, &count) || count > MOST_KEYS)
        return -1;
    for (uint64_t number = 0; number < count; number++) {
        Text *key = &keys[number];
        Value value;
        if (get_text(in, key) || !is_ascii(*key))
            return -1;
        for (uint64_t before = 0; before < number; before++) /* a dictionary has a key once */
            if (keys[before].size == key->size && memcmp(keys[before].at, key->at, (size_t)key->size) == 0)
                return -1;
        if (get_value(in, texts, &value) || put_attribute(out, prefix, *key, &value))
            return -1;
    }
    return 0;
}

static int put_body(Out *out, In *in, PyObject *texts)
{
    Value body = {.tag = TAG_STRING};
    if (get_clean_text(in, texts, &body.text))
        return -1;
    Py_ssize_t size = value_size(&body);
    if (out->end - out->at < 1 + varint_size((uint64_t)size) + size)
        return -1;
    *out->at++ = 0x2a;
    put_varint(out, (uint64_t)size);
    put_value(out, &body);
    return 0;
}

static int put_record(Out *out, In *in, Text uid, Text constant, Text prefix, uint64_t time, PyObject *texts)
{
    static const Text none = {(const unsigned char *)"", 0}, uid_key = {(const unsigned char *)"log.record.uid", 14};
    Value unique = {.tag = TAG_STRING, .text = uid};
    if (put_time(out, 0x09, time) || put_time(out, 0x59, time) || out->end - out->at < constant.size)
        return -1;
    put_raw(out, constant.at, constant.size);
    if (put_attribute(out, none, uid_key, &unique) || in->at == in->end)
        return -1;
    if (*in->at == 0xc0)
        in->at++;
    else if (put_body(out, in, texts))
        return -1;
    if (in->at == in->end)
        return -1;
    if (*in->at == 0xc0)
        in->at++;
    else if (put_data(out, in, prefix, texts))
        return -1;
    return in->at == in->end ? 0 : -1;
}

static int bytes_of(PyObject *object, Text *text)
{
    char *bytes;
    if (object == NULL || PyBytes_AsStringAndSize(object, &bytes, &text->size) < 0)
        return -1;
    text->at = (const unsigned char *)bytes;
    return 0;
}

/* What the records of a run are encoded with, and what they have become so far. */
typedef struct {
    Text journal;
    PyObject *templates, *texts;
    long long scope, taken;
    unsigned char *bytes;
    size_t size, room;
} Run;

static int grow(Run *run, size_t more)
{
    if (run->room - run->size >= more)
        return 0;
    size_t room = 2 * (run->room + more);
    unsigned char *bytes = PyMem_Realloc(run->bytes, room);
    if (bytes == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    run->bytes = bytes;
    run->room = room;
    return 0;
}

enum { TAKEN = 0, REFUSED = 1, FAILED = -1 };

/* Add a record: REFUSED if it is not plain, or of another scope; FAILED with an exception. */
static int add_record(Run *run, Text payload, uint64_t sequence)
{
    unsigned char buffer[BUFFER], unique[BUFFER / 8];
    Out out = {buffer, buffer + BUFFER};
    In in = {payload.at, payload.at + payload.size};
    Text constant, prefix;
    uint64_t time, number;
    if (in.at == in.end || *in.at++ != 0x94 || get_unsigned(&in, &time) || get_unsigned(&in, &number) ||
        run->journal.size > (Py_ssize_t)sizeof unique - UID_DIGITS - 2)
        return REFUSED;
    PyObject *key = PyLong_FromUnsignedLongLong(number);
    if (key == NULL)
        return FAILED;
    PyObject *template = PyDict_GetItemWithError(run->templates, key);
    Py_DECREF(key);
    if (template == NULL)
        return PyErr_Occurred() ? FAILED : REFUSED;
    long long scope = PyLong_AsLongLong(PyTuple_GetItem(template, 0));
    if (PyErr_Occurred() || bytes_of(PyTuple_GetItem(template, 1), &constant) ||
        bytes_of(PyTuple_GetItem(template, 2), &prefix))
        return FAILED;
    if (run->taken && scope != run->scope)
        return REFUSED;
    int written = PyOS_snprintf((char *)unique, sizeof unique, "%.*s-%llx", (int)run->journal.size, run->journal.at,
                                (unsigned long long)sequence);
    Text uid = {unique, written};
    if (put_record(&out, &in, uid, constant, prefix, time, run->texts))
        return REFUSED;
    size_t size = (size_t)(out.at - buffer);
    if (grow(run, 1 + (size_t)varint_size(size) + size))
        return FAILED;
    Out whole = {run->bytes + run->size, run->bytes + run->room};
    *whole.at++ = 0x12;
    put_varint(&whole, size);
    put_raw(&whole, buffer, (Py_ssize_t)size);
    run->size = (size_t)(whole.at - run->bytes);
    run->scope = scope;
    run->taken++;
    return TAKEN;
}

/* Arguments: complete frames, where to begin, where they end, the number of the next record, where what was delivered
 * before ends, the journal's id in bytes, by the template's number its scope, constant part and prefix, and by texts what
 * is to be sent of them. Returns scope, fields and number of the records, and where the next frame begins; or None. */
PyObject *native_brief_run(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count)
{
    Run run = {0};
    char *data;
    Py_ssize_t size;
    if (!has_arguments("brief_run", count, 8) || PyBytes_AsStringAndSize(given[0], &data, &size) < 0 ||
        bytes_of(given[5], &run.journal))
        return NULL;
    Py_ssize_t place = PyLong_AsSsize_t(given[1]), end = PyLong_AsSsize_t(given[2]);
    uint64_t sequence = PyLong_AsUnsignedLongLong(given[3]);
    long long replayed = PyLong_AsLongLong(given[4]);
    if (PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_OverflowError)) {
        PyErr_Clear(); /* of a damaged definition or cursor: no frame has such a number */
        Py_RETURN_NONE;
    }
    if (PyErr_Occurred())
        return NULL;
    if (!PyDict_Check(given[6]) || !PyDict_Check(given[7]) || place < 0 || end > size) {
        PyErr_SetString(PyExc_TypeError, "frames lie within the bytes, templates and texts are dictionaries");
        return NULL;
    }
    run.templates = given[6];
    run.texts = given[7];
    int found = TAKEN;
    while (end - place >= HEADER) {
        const unsigned char *at = (const unsigned char *)data + place;
        Text payload = {at + HEADER, (Py_ssize_t)(uint32_t)load(at + 4, 4)};
        Py_ssize_t after = place + HEADER + payload.size;
        if (load(at, 4) != BRIEF_FRAME || load(at + 16, 8) != sequence || after > end || after <= replayed)
            break;
        found = add_record(&run, payload, sequence);
        if (found != TAKEN)
            break;
        place = after;
        sequence++;
    }
    PyObject *made = NULL;
    if (found != FAILED && run.taken) {
        PyObject *fields = PyBytes_FromStringAndSize((char *)run.bytes, (Py_ssize_t)run.size);
        made = fields == NULL ? NULL : Py_BuildValue("(LNLn)", run.scope, fields, run.taken, place);
    } else if (found != FAILED)
        made = Py_NewRef(Py_None);
    PyMem_Free(run.bytes);
    return made;
}
