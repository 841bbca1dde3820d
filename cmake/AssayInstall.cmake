# SPDX-License-Identifier: Apache-2.0
# Two components: `runtime`, all that a user needs, and `development`, the tuner as a library and the
# header of plug-ins. The other libraries are parts of the programs and promise nothing to strangers.
#
# Programs find each other in an installed tree as in a build: beside the running one, else in
# ../libexec/assay (asy_proc_find_program).
get_property(asy_programs GLOBAL PROPERTY ASY_PROGRAMS)
list(REMOVE_ITEM asy_programs assay)
install(TARGETS assay RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime)
install(TARGETS ${asy_programs} RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/assay
        COMPONENT runtime)
install(FILES README.md CHANGELOG.md LICENSE NOTICE DESTINATION ${CMAKE_INSTALL_DOCDIR}
        COMPONENT runtime)
install(DIRECTORY docs/guide docs/reference DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT runtime)
install(DIRECTORY examples slurm DESTINATION ${CMAKE_INSTALL_DATADIR}/assay COMPONENT runtime
        USE_SOURCE_PERMISSIONS)

install(TARGETS asy-tuner asy-la asy-common
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
        FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
file(RELATIVE_PATH ASY_PKGCONFIG_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" ASY_PKGCONFIG_TO_PREFIX "${ASY_PKGCONFIG_TO_PREFIX}")
# Static, as all of ours: asy-la and asy-common are its own, and what common links is required.
configure_file(cmake/assay-tuner.pc.in assay-tuner.pc @ONLY)
configure_file(cmake/assay-trainer.pc.in assay-trainer.pc @ONLY)
install(FILES worker/plugin/include/asy/trainer.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/asy COMPONENT development)
install(FILES ${CMAKE_BINARY_DIR}/assay-tuner.pc ${CMAKE_BINARY_DIR}/assay-trainer.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)

set(CPACK_PACKAGE_NAME assay)
set(CPACK_PACKAGE_VENDOR "The Assay maintainers")
set(CPACK_PACKAGE_CONTACT "The Assay maintainers")
set(CPACK_RESOURCE_FILE_LICENSE ${CMAKE_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR TGZ)
find_program(DPKG_SHLIBDEPS dpkg-shlibdeps)
find_program(RPMBUILD rpmbuild)
mark_as_advanced(DPKG_SHLIBDEPS RPMBUILD)
if(DPKG_SHLIBDEPS)
    list(APPEND CPACK_GENERATOR DEB)
endif()
if(RPMBUILD)
    list(APPEND CPACK_GENERATOR RPM)
endif()
set(CPACK_COMPONENTS_ALL runtime development)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME assay)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_RECOMMENDS openmpi-bin) # mpirun, for trials of several ranks
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION ${PROJECT_DESCRIPTION})
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME assay-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libjansson-dev, libyaml-dev, libssl-dev")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "Samplers and pruners of Assay as a C library, and the header of plug-ins")
set(CPACK_RPM_COMPONENT_INSTALL ON)
set(CPACK_RPM_RUNTIME_PACKAGE_NAME assay)
set(CPACK_RPM_DEVELOPMENT_PACKAGE_NAME assay-devel)
include(CPack)
