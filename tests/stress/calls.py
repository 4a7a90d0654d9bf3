"""calls.py HEADER OUTPUT: writes, for every function of the header, a C function that calls it with random arguments.

An argument is made by its type, or by its type and name where the type is not enough: see the tables, whose expressions
are in the words of stress.h. Handles, enumerations and their constants are read from the header. A type that no table
has is an error: teach it here.
"""

import re
import sys

# How to make a value: by "type name", else by type.
VALUES = {
    "bool": "below(2)",
    "float": "real()",
    "float base_headroom": "gain()",
    "float alternate_headroom": "2 + gain()",
    "double": "real()",
    "int": "any_descriptor()",
    "int32_t": "number(3)",
    "int32_t quality": "number(100)",
    "int32_t effort": "number(10)",
    "int32_t level": "number(4)",
    "int32_t delay": "number(100)",
    "int64_t timeout_ms": "patience()",
    "uint16_t": "number(5000)",
    "uint16_t primaries": "number(12)",
    "uint16_t transfer": "number(18)",
    "uint16_t matrix": "number(12)",
    "uint32_t": "number(100)",
    "uint32_t width": "any_side()",
    "uint32_t height": "any_side()",
    "uint32_t bits": "8 * number(2)",
    "uint32_t frame_count": "number(8)",
    "uint32_t orientation": "number(9)",
    "uint32_t timeout_ms": "number(2000)",
    "uint64_t": "number(100000)",
    "size_t": "number(5)",
    "size_t size": "some_size()",
    "size_t capacity": "below(300)",
    "size_t row_stride": "below(2) ? 0 : number(1000)",
    "size_t count": "below(9)",
    "size_t frames": "below(9)",
    "size_t frame_count": "below(9)",
    "const char *": "any_text()",
    "const char *format": "any_format()",
    "const char *path": "any_path()",
    "const char *file": "any_path()",
    "const char *folder": "any_path()",
    "const char *name": "any_setting()",
    "const void *": "readable(size)",
    "const void *encoded": "file->bytes",
    "const void *profile": "block->bytes",
    "const void *block_bytes": "block->bytes",
    "void *user": "(void *)(uintptr_t)below(1000)",
    "void *write_user": "NULL",
    "void *stream": "(void *)(uintptr_t)below(3)",
    "ImageDoneFn": "below(2) ? on_done : NULL",
    "ImageItemFn": "below(2) ? on_item : NULL",
    "ImageLogFn": "given() ? on_log : NULL",
    "ImageProgressFn": "given() ? on_progress : NULL",
    "ImageReadFn": "given() ? on_read : NULL",
    "ImageReleaseFn": "given() ? on_release : NULL",
    "ImageWriteFn": "given() ? on_write : NULL",
}

# The size that belongs to bytes of this name.
SIZES = {"encoded": "file->size", "profile": "block->size", "block_bytes": "block->size"}

# How to make value `i` of a list: by "type name", else by type.
LISTS = {
    "const char *const *": "any_text()",
    "const float *": "gain()",
    "const float *gain_max": "2 + gain()",
    "const int *": "any_descriptor()",
    "const int32_t *": "number(100)",
    "const int64_t *": "number(40)",
    "const int64_t *strides": "number(200)",
    "const size_t *sizes": "below(READABLE + 1)",
    "const size_t *row_strides": "number(200)",
    "const uint16_t *": "number(50000)",
    "const uint32_t *": "number(20)",
    "const uint32_t *types": "number(3)",
    "const void *const *planes": "readable(sizes_list[i])",
    "ImagePixelMap *const *": "take(&pool_ImagePixelMap)",
}

# Memory for results, by its number of bytes.
BUFFERS = {"void *": "size", "char *": "capacity"}

# Places for results, of these types and of every enumeration and handle.
RESULTS = ("bool", "double", "float", "int32_t", "size_t", "uint16_t", "uint32_t", "uint64_t", "uint8_t *", "const char *")

# Callbacks that a call which succeeds owes, once.
DEBTS = {"ImageReleaseFn": "&releases", "ImageDoneFn": "&dones"}

# Their results are written when images fail, too.
PARTIAL = ("image_packer_pack_batch_to_data", "image_packer_pack_batch_to_files")

# DLPack's tensors are the library's from the call on, whatever it answers.
SPECIAL = {
    ("image_tensor_create_from_dlpack", "managed"): "dlpack()",
    ("image_tensor_create_from_dlpack_legacy", "managed"): "dlpack_legacy()",
}

# How often a function is called, the first that fits: things are made more often than thrown away.
WEIGHTS = [(r"_release$|set_log", 2), (r"_create|_begin|_add_|_start|_to_data|_finish|copy$", 24), (r"", 8)]

FUNCTION = re.compile(r"IMAGE_PACKER_API\s+(?:IMAGE_PACKER_NODISCARD\s+)?([^;()]*?)\b(\w+)\(([^;]*?)\);", re.S)


class Header:
    def __init__(self, text):
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        self.handles = re.findall(r"typedef struct (\w+) \1;", text)
        self.enums = {}  # a type and the constants that follow it
        for name, value in re.findall(r"typedef\s[^;]*?(\w+);|#define (IMAGE_(?!PACKER_)\w+) -?\d+\n", text):
            if name:
                values = self.enums[name] = []
            elif self.enums:
                values.append(value)
        self.functions = [
            (answer.strip(), name, [parameter(p) for p in re.split(r",\s*", inside) if p.strip() != "void"])
            for answer, name, inside in FUNCTION.findall(text)
        ]

    def is_enum(self, kind):
        return bool(self.enums.get(kind)) and kind not in self.handles


def parameter(text):
    kind, name = re.match(r"(.*?)(\w+)$", " ".join(text.split())).groups()
    return kind.strip(), name


def declared(kind, name):
    return kind + ("" if kind.endswith("*") else " ") + name


def known(table, kind, name):
    return table.get(declared(kind, name)) or table.get(kind)


class Call:
    """A function that makes the arguments, calls, and looks at what came back."""

    def __init__(self, header, function, parameters):
        self.header, self.function = header, function
        self.names = [name for _, name in parameters]
        self.before, self.after = [], []
        for kind, name in parameters:
            self.argument(kind, name)

    def argument(self, kind, name):
        value, element = self.value(kind, name), known(LISTS, kind, name)
        if value:
            self.make(value, f"{declared(kind, name)} = {value};")
        elif element:
            item = kind.removesuffix("*").strip()
            item = item.removesuffix("const").strip() if "*" in item else item.removeprefix("const ")
            self.make(
                element,
                f"{declared(item, name)}_list[LIST];",
                f"for (size_t i = 0; i < LIST; ++i) {name}_list[i] = {element};",
                f"{declared(kind, name)} = given() ? {name}_list : NULL;",
            )
        elif kind in BUFFERS:
            size = BUFFERS[kind]
            self.make("(size)", f"{kind}{name} = writable({size});")
            self.after.append(f"written(status, {name}, {size});")
        else:
            self.place(kind, name)
        if kind in DEBTS:
            self.after.append(f"if (status == IMAGE_OK && {name} != NULL) owe({DEBTS[kind]});")

    def make(self, expression, *lines):
        """What is made by a size comes behind it."""
        self.before.append(("(size" in expression, lines))

    def value(self, kind, name):
        handle = re.match(r"(?:const )?(\w+) \*$", kind)
        if handle and handle[1] in self.header.handles:
            return f"take(&pool_{handle[1]})"
        if self.header.is_enum(kind):
            return f"ONE_OF({', '.join(self.header.enums[kind])})"
        if kind == "size_t" and name == "size":
            pair = next((SIZES[other] for other in self.names if other in SIZES), None)
            return pair or VALUES["size_t size"]
        return SPECIAL.get((self.function, name)) or known(VALUES, kind, name)

    def place(self, kind, name):
        item = kind.removesuffix("*").strip()
        handle = item.removesuffix("*").strip() if item.endswith("*") else None
        if not kind.endswith("*") or not (item in RESULTS or self.header.is_enum(item) or handle in self.header.handles):
            sys.exit(f"{sys.argv[0]} does not know '{declared(kind, name)}' of {self.function}(): teach it in its tables")
        self.make(
            "",
            f"{declared(item, name)}_place[LIST];",
            f"memset({name}_place, UNTOUCHED, sizeof {name}_place);",
            f"{declared(kind, name)} = given() ? {name}_place : NULL;",
        )
        if self.function not in PARTIAL:
            self.after.append(f"if (status != IMAGE_OK) untouched({name}_place, sizeof {name}_place);")
        if handle in self.header.handles:
            self.after.append(f"for (size_t i = 0; i < LIST; ++i) keep(&pool_{handle}, {name}_place[i]);")
        if item == "uint8_t *":
            self.after.append(f"if (status == IMAGE_OK) free({name}_place[0]);")

    def text(self, answer):
        call = f"{self.function}({', '.join(self.names)})"
        if answer == "const char *":
            after = [f"legible({call});"]
        elif answer != "ImageStatus" or self.function.startswith("image_packer_last_error_"):
            after = [f"(void){call};"]
        else:
            after = [f"ImageStatus status = {call};", "answered(status);", *self.after]
        before = [line for _, lines in sorted(self.before, key=lambda made: made[0]) for line in lines]
        return f"static void call_{self.function}(void) {{\n  " + "\n  ".join(before + after) + "\n}\n"


def source(header):
    yield '#include "stress.h"\n'
    for handle in header.handles:
        release = next(name for _, name, p in header.functions if name.endswith("_release") and p[0][0] == f"{handle} *")
        yield f"static ImageStatus release_{handle}(void *handle) {{ return {release}(handle); }}"
        yield f"Pool pool_{handle} = {{.release = release_{handle}}};\n"
    yield f"Pool *const pools[] = {{{', '.join('&pool_' + handle for handle in header.handles)}}};"
    yield "const size_t pool_count = sizeof pools / sizeof *pools;\n"
    for answer, name, parameters in header.functions:
        yield Call(header, name, parameters).text(answer)
    yield "const Call calls[] = {"
    for _, name, _ in header.functions:
        weight = next(weight for pattern, weight in WEIGHTS if re.search(pattern, name))
        yield f'    {{"{name}", call_{name}, {weight}}},'
    yield "};\nconst size_t call_count = sizeof calls / sizeof *calls;\n"


def main():
    header, output = sys.argv[1:]
    text = "\n".join(source(Header(open(header, encoding="utf-8").read())))
    with open(output, "w", encoding="utf-8") as file:
        file.write(text)


main()
