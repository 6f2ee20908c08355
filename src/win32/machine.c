#include "win32.h"

#include <bcrypt.h>
#define PSAPI_VERSION 2 /* in kernel32 */
#include <psapi.h>

/* Windows 10; missing in MinGW's headers. The maximum is the upper half of the word. */
#define MIN_MAX_RATE 0x10

mproc_err os_random(void *bytes, size_t size)
{
    const ULONG most = UINT32_C(1) << 20;
    for (unsigned char *next = bytes; size > 0;) {
        ULONG part = size < most ? (ULONG)size : most;
        NTSTATUS status = BCryptGenRandom(NULL, next, part, BCRYPT_USE_SYSTEM_PREFERRED_RNG);
        if (status < 0) {
            error_remember((int)status);
            return MPROC_EOS;
        }
        next += part;
        size -= part;
    }
    return MPROC_OK;
}

static uint64_t machine_cpus(void)
{
    DWORD active = GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
    return active ? active : 1;
}

/* An affinity covers one processor group. Without one, new processes are spread over all groups. */
static uint64_t affinity_cpus(void)
{
    DWORD_PTR mine, all;
    if (!GetProcessAffinityMask(GetCurrentProcess(), &mine, &all) || mine == all)
        return machine_cpus();
    uint64_t count = 0;
    for (; mine; mine &= mine - 1)
        count++;
    return count;
}

/* The share of the machine that a job allows, in 1/10000. */
static uint64_t job_rate(void)
{
    const uint64_t whole = 10000;
    JOBOBJECT_CPU_RATE_CONTROL_INFORMATION rate;
    if (!QueryInformationJobObject(NULL, JobObjectCpuRateControlInformation, &rate, sizeof rate,
                                   NULL) ||
        !(rate.ControlFlags & JOB_OBJECT_CPU_RATE_CONTROL_ENABLE))
        return whole;
    uint64_t cap = whole;
    if (rate.ControlFlags & MIN_MAX_RATE)
        cap = rate.CpuRate >> 16;
    else if (rate.ControlFlags & JOB_OBJECT_CPU_RATE_CONTROL_HARD_CAP)
        cap = rate.CpuRate;
    return cap > 0 && cap < whole ? cap : whole;
}

int os_cpu_count(void)
{
    uint64_t count = affinity_cpus(), allowed = (machine_cpus() * job_rate() + 9999) / 10000;
    return (int)(allowed < count ? allowed : count ? count : 1);
}

uint64_t os_memory_limit(void)
{
    MEMORYSTATUSEX machine = {.dwLength = sizeof machine};
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION job;
    uint64_t least = UINT64_MAX;
    if (GlobalMemoryStatusEx(&machine) && machine.ullTotalPhys)
        least = machine.ullTotalPhys;
    if (!QueryInformationJobObject(NULL, JobObjectExtendedLimitInformation, &job, sizeof job, NULL))
        return least;
    DWORD limits = job.BasicLimitInformation.LimitFlags;
    if (limits & JOB_OBJECT_LIMIT_JOB_MEMORY && job.JobMemoryLimit && job.JobMemoryLimit < least)
        least = job.JobMemoryLimit;
    if (limits & JOB_OBJECT_LIMIT_PROCESS_MEMORY && job.ProcessMemoryLimit &&
        job.ProcessMemoryLimit < least)
        least = job.ProcessMemoryLimit;
    return least;
}

/* PrivateUsage is the same on Windows, and 0 under wine. */
uint64_t os_memory_used(void)
{
    PROCESS_MEMORY_COUNTERS counters = {.cb = sizeof counters};
    return GetProcessMemoryInfo(GetCurrentProcess(), &counters, sizeof counters)
               ? counters.PagefileUsage
               : 0;
}
