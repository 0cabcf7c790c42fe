/* Stands in for NVIDIA's management library: the functions the worker calls, with the types of nvml.h, and figures that a
 * test can recognise. STUB_NVML=crash ends the process in its first call, as a broken driver may. */
#include <stdlib.h>
#include <string.h>

typedef struct { unsigned version; unsigned long long total, reserved, free, used; } memory_v2;
typedef struct { unsigned gpu, memory; } utilization;
static int gpus[2] = {0, 1};
static const char *uuids[2] = {"GPU-11111111-2222-3333-4444-555555555555", "GPU-66666666-7777-8888-9999-000000000000"};

static int put(char *to, unsigned length, const char *text) {
    strncpy(to, text, length);
    to[length - 1] = 0;
    return 0;
}
int nvmlInit_v2(void) {
    const char *mode = getenv("STUB_NVML");
    if (mode && !strcmp(mode, "crash")) abort();
    if (mode && !strcmp(mode, "no_driver")) return 9;
    return 0;
}
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { return code ? "an error" : "no error"; }
int nvmlSystemGetDriverVersion(char *text, unsigned length) { return put(text, length, "550.54.15"); }
int nvmlSystemGetCudaDriverVersion_v2(int *version) { *version = 12040; return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, int **device) { *device = &gpus[index]; return 0; }
int nvmlDeviceGetHandleByUUID(const char *uuid, int **device) {
    for (int i = 0; i < 2; i++)
        if (!strcmp(uuid, uuids[i])) { *device = &gpus[i]; return 0; }
    return 6;
}
int nvmlDeviceGetName(int *device, char *text, unsigned length) { return put(text, length, *device ? "Stub B" : "Stub A"); }
int nvmlDeviceGetUUID(int *device, char *text, unsigned length) { return put(text, length, uuids[*device]); }
int nvmlDeviceGetMemoryInfo_v2(int *device, memory_v2 *memory) {
    memory->total = 24000000000ULL;
    memory->used = 1000000000ULL * (*device + 1);
    return 0;
}
int nvmlDeviceGetCudaComputeCapability(int *device, int *major, int *minor) { (void)device; *major = 8; *minor = 9; return 0; }
int nvmlDeviceGetTemperatureThreshold(int *device, int which, unsigned *celsius) {
    (void)device;
    if (which != 1) return 3; /* only the slowdown is supported */
    *celsius = 91;
    return 0;
}
int nvmlDeviceGetUtilizationRates(int *device, utilization *used) { used->gpu = 70 + *device; used->memory = 5; return 0; }
int nvmlDeviceGetTemperature(int *device, int sensor, unsigned *celsius) { (void)sensor; *celsius = 60 + *device; return 0; }
int nvmlDeviceGetPowerUsage(int *device, unsigned *milliwatts) { *milliwatts = 250000 + 1000 * *device; return 0; }
int nvmlDeviceGetClockInfo(int *device, int type, unsigned *megahertz) { (void)device; *megahertz = 1500 + type; return 0; }
int nvmlDeviceGetCurrentClocksThrottleReasons(int *device, unsigned long long *reasons) {
    *reasons = *device ? 0x40ULL : 0x4ULL; /* hardware thermal slowdown; software power cap */
    return 0;
}
