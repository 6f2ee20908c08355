/* How the library's symbols are seen. The only header that knows the operating system. */
#ifndef MPROC_EXPORT_H
#define MPROC_EXPORT_H

#if defined(_WIN32)
#if defined(MPROC_BUILDING_SHARED)
#define MPROC_API __declspec(dllexport)
#elif defined(MPROC_SHARED)
#define MPROC_API __declspec(dllimport)
#else
#define MPROC_API
#endif
#elif defined(__GNUC__)
#define MPROC_API __attribute__((visibility("default")))
#else
#define MPROC_API
#endif

#if defined(__GNUC__) && defined(__MINGW32__)
#define MPROC_PRINTF(at, first) __attribute__((format(gnu_printf, at, first)))
#elif defined(__GNUC__)
#define MPROC_PRINTF(at, first) __attribute__((format(printf, at, first)))
#else
#define MPROC_PRINTF(at, first)
#endif

#ifdef __cplusplus
#define MPROC_BEGIN extern "C" {
#define MPROC_END }
#else
#define MPROC_BEGIN
#define MPROC_END
#endif

#endif
