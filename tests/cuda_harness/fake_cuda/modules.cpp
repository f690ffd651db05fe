// Modules: what fake_nvcc.py writes is checked, copied into an anonymous file and loaded as a shared library.

#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "driver.h"

static uint32_t crc32(const unsigned char *bytes, size_t n) {  // as in zlib
    static uint32_t table[256];
    if (!table[1])
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t c = i;
            for (int bit = 0; bit < 8; bit++)
                c = c & 1 ? 0xedb88320u ^ (c >> 1) : c >> 1;
            table[i] = c;
        }
    uint32_t crc = ~0u;
    for (size_t i = 0; i < n; i++)
        crc = table[(crc ^ bytes[i]) & 255] ^ (crc >> 8);
    return ~crc;
}

Module::~Module() {
    if (!library)
        return;
    struct link_map *map = nullptr;
    if (dlinfo(library, RTLD_DI_LINKMAP, &map) == 0 && map)
        forget_globals(map->l_addr, map->l_addr + (size_t(1) << 32));
    dlclose(library);
}

namespace {

struct Image {
    const EmulatedCubin *header;
    bool intact;
};

// Nobody says how long the image is: a torn one may end before its header says.
void inspect(void *argument) {
    Image &image = *static_cast<Image *>(argument);
    const EmulatedCubin &h = *image.header;
    image.intact = memcmp(h.magic, "EMUCUBIN", 8) == 0 && h.bytes < (size_t(1) << 30) &&
                   crc32(reinterpret_cast<const unsigned char *>(&h + 1), h.bytes) == h.checksum;
}

Result load(Context *context, const void *data, Module **handle) {
    Image image = {static_cast<const EmulatedCubin *>(data), false};
    Fault fault;
    if (!run_guarded(inspect, &image, &fault) || !image.intact)
        return fail(INVALID_IMAGE, "cuModuleLoadData: the image is torn, or was not made by the emulated nvcc");
    unsigned arch = image.header->arch;
    if (arch / 10 != 9 || arch > 90)
        return fail(NO_BINARY_FOR_GPU, "cuModuleLoadData: compiled for sm_%u, the device is sm_90", arch);

    int file = memfd_create("cuda_module", MFD_CLOEXEC);
    const char *bytes = reinterpret_cast<const char *>(image.header + 1);
    for (size_t written = 0; written < image.header->bytes;) {
        ssize_t n = file < 0 ? -1 : write(file, bytes + written, image.header->bytes - written);
        if (n <= 0)
            return fail(OUT_OF_MEMORY, "cuModuleLoadData: no memory for the module");
        written += size_t(n);
    }
    // The loader takes equal names for one library, and the numbers of files repeat: a counter makes each name new,
    // written in detours that lead nowhere.
    static uint64_t loaded = 0;
    std::string path = "/proc/self/fd/";
    for (uint64_t rest = ++loaded; rest; rest /= 2)
        path += rest % 2 ? ".//" : "./";
    path += std::to_string(file);
    auto module = std::make_shared<Module>();
    module->context = context;
    module->library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    close(file);
    if (!module->library)
        return fail(INVALID_IMAGE, "cuModuleLoadData: %s", dlerror());
    module->face = static_cast<const EmulatedModule *>(dlsym(module->library, "emulated_module"));
    if (!module->face || module->face->version != emulated_interface_version)
        return fail(INVALID_IMAGE, "cuModuleLoadData: made by another version of the emulated nvcc");
    *module->face->services = services();
    state().counters.module_loads++;
    *handle = module.get();
    context->modules[*handle] = std::move(module);
    return SUCCESS;
}

Result find_module(Context *context, Module *module) {
    return context->modules.count(module) ? SUCCESS : fail(INVALID_HANDLE, "there is no such module in this context");
}

}  // namespace

EXPORT Result cuModuleLoadDataEx(Module **module, const void *image, unsigned n, int *options, void **values) {
    enum { info_log_bytes = 4, error_log_bytes = 6 };
    for (unsigned i = 0; i < n; i++)
        if (options[i] == info_log_bytes || options[i] == error_log_bytes)
            values[i] = nullptr;  // both logs are empty, whatever comes
    DRIVER_CALL(context);
    if (Result refused = refuse_during_capture("cuModuleLoadData"))
        return refused;
    return load(call.current, image, module);
}

EXPORT Result cuModuleLoadData(Module **module, const void *image) {
    return cuModuleLoadDataEx(module, image, 0, nullptr, nullptr);
}

EXPORT Result cuModuleLoad(Module **module, const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file)
        return fail(301, "cuModuleLoad: cannot open %s", path);
    std::vector<char> image(sizeof(EmulatedCubin));
    char piece[4096];
    image.clear();
    for (size_t got; (got = fread(piece, 1, sizeof piece, file)) > 0;)
        image.insert(image.end(), piece, piece + got);
    fclose(file);
    return cuModuleLoadDataEx(module, image.data(), 0, nullptr, nullptr);
}

EXPORT Result cuModuleUnload(Module *module) {
    DRIVER_CALL(context);
    if (Result bad = find_module(call.current, module))
        return bad;
    module->unloaded = true;
    for (auto &[name, function] : module->functions)
        call.current->functions.erase(function.get());
    call.current->modules.erase(module);  // work in flight keeps the library itself
    return SUCCESS;
}

EXPORT Result cuModuleGetFunction(Function **function, Module *module, const char *name) {
    DRIVER_CALL(context);
    if (Result bad = find_module(call.current, module))
        return bad;
    auto &known = module->functions[name];
    if (!known) {
        std::string symbol = std::string("emulated_kernel_") + name;
        auto *kernel = static_cast<const EmulatedKernel *>(dlsym(module->library, symbol.c_str()));
        if (!kernel) {
            module->functions.erase(name);
            return fail(NOT_FOUND, "cuModuleGetFunction: the module has no kernel extern \"C\" %s", name);
        }
        known = std::make_unique<Function>();
        known->module = module;
        known->name = name;
        known->kernel = kernel;
        call.current->functions.insert(known.get());
    }
    *function = known.get();
    return SUCCESS;
}

EXPORT Result cuModuleGetGlobal_v2(DevicePointer *pointer, size_t *bytes, Module *module, const char *name) {
    DRIVER_CALL(context);
    if (Result bad = find_module(call.current, module))
        return bad;
    void *address = dlsym(module->library, name);
    Dl_info info;
    ElfW(Sym) *symbol = nullptr;
    if (!address || !dladdr1(address, &info, reinterpret_cast<void **>(&symbol), RTLD_DL_SYMENT) || !symbol ||
        ELF64_ST_TYPE(symbol->st_info) != STT_OBJECT)
        return fail(NOT_FOUND, "cuModuleGetGlobal: the module has no variable %s", name);
    register_global(reinterpret_cast<uintptr_t>(address), symbol->st_size);
    if (pointer)
        *pointer = reinterpret_cast<uintptr_t>(address);
    if (bytes)
        *bytes = symbol->st_size;
    return SUCCESS;
}
