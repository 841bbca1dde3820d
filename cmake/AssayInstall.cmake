# SPDX-License-Identifier: Apache-2.0
get_property(asy_programs GLOBAL PROPERTY ASY_PROGRAMS)
if(TARGET assay)
    install(TARGETS assay RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime)
endif()
list(REMOVE_ITEM asy_programs assay)
install(TARGETS ${asy_programs} RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/assay
        COMPONENT runtime)
install(FILES README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT runtime)

set(CPACK_PACKAGE_NAME assay)
set(CPACK_PACKAGE_CONTACT "The Assay maintainers")
set(CPACK_GENERATOR TGZ)
include(CPack)
