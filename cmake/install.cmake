include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/mproc")

install(TARGETS mproc
    EXPORT mproc
    RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}"
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
    FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
    FILE_SET macros DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT mproc
    FILE mprocTargets.cmake
    NAMESPACE mproc::
    DESTINATION "${package_dir}")

configure_package_config_file(
    "${PROJECT_SOURCE_DIR}/cmake/mprocConfig.cmake.in" "${PROJECT_BINARY_DIR}/mprocConfig.cmake"
    INSTALL_DESTINATION "${package_dir}")
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/mprocConfigVersion.cmake"
    COMPATIBILITY SameMinorVersion)
install(FILES
    "${PROJECT_BINARY_DIR}/mprocConfig.cmake"
    "${PROJECT_BINARY_DIR}/mprocConfigVersion.cmake"
    DESTINATION "${package_dir}")

# The prefix is given relative to the file, so that an installed tree can be moved.
file(RELATIVE_PATH pc_prefix
    "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
if(WIN32)
    set(pc_system_libs "-lbcrypt")
else()
    set(pc_system_libs "-pthread")
    if(NOT MPROC_LIBC_HAS_SHM_OPEN)
        string(APPEND pc_system_libs " -lrt")
    endif()
endif()
get_target_property(type mproc TYPE)
if(type STREQUAL "SHARED_LIBRARY")
    set(pc_cflags " -DMPROC_SHARED")
    set(pc_libs "")
else()
    set(pc_cflags "")
    set(pc_libs " ${pc_system_libs}")
endif()
configure_file("${PROJECT_SOURCE_DIR}/cmake/mproc.pc.in" "${PROJECT_BINARY_DIR}/mproc.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/mproc.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
