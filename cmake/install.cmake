# What `cmake --install` brings, and the Debian package that CPack makes of it.
include(GNUInstallDirs)

install(TARGETS tern ternd)
install(DIRECTORY models DESTINATION ${CMAKE_INSTALL_DATADIR}/tern)
install(FILES configs/ternd.yaml configs/demo.yaml DESTINATION ${CMAKE_INSTALL_DATADIR}/tern)
install(DIRECTORY configs/scheduling DESTINATION ${CMAKE_INSTALL_DATADIR}/tern)
install(DIRECTORY deploy/grafana deploy/prometheus deploy/kubernetes DESTINATION ${CMAKE_INSTALL_DATADIR}/tern/deploy)
install(DIRECTORY proto/tern proto/google proto/grpc DESTINATION ${CMAKE_INSTALL_DATADIR}/tern/proto
        FILES_MATCHING PATTERN *.proto)
install(FILES LICENSE README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN *.md)
# The pages link to files beside them in the source, which are installed elsewhere.
file(RELATIVE_PATH data_from_docs "/${CMAKE_INSTALL_DOCDIR}" "/${CMAKE_INSTALL_DATADIR}/tern")
install(CODE "
  foreach(folder deploy models proto)
    file(CREATE_LINK \"${data_from_docs}/\${folder}\"
         \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DOCDIR}/\${folder}\" SYMBOLIC)
  endforeach()")

# Man pages and completion: the programs write them from their own commands. In a cross build they cannot.
if(NOT CMAKE_CROSSCOMPILING)
  function(tern_generated program what file destination)
    add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/generated/${file}
                       COMMAND ${program} --generate ${what} > ${CMAKE_BINARY_DIR}/generated/${file}
                       DEPENDS ${program} VERBATIM)
    install(FILES ${CMAKE_BINARY_DIR}/generated/${file} DESTINATION ${destination})
    set_property(GLOBAL APPEND PROPERTY TERN_GENERATED ${CMAKE_BINARY_DIR}/generated/${file})
  endfunction()
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/generated/bash)
  tern_generated(tern man tern.1 ${CMAKE_INSTALL_MANDIR}/man1)
  tern_generated(ternd man ternd.8 ${CMAKE_INSTALL_MANDIR}/man8)
  foreach(program tern ternd)
    tern_generated(${program} bash bash/${program} ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
    tern_generated(${program} zsh _${program} ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
    tern_generated(${program} fish ${program}.fish ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
  endforeach()
  get_property(generated GLOBAL PROPERTY TERN_GENERATED)
  add_custom_target(tern_generated ALL DEPENDS ${generated})
endif()

# The unit names the program where it is installed, which --prefix and CPack may have changed by then.
configure_file(deploy/systemd/ternd.service.in ternd.service @ONLY)
install(CODE "
  set(CMAKE_INSTALL_FULL_BINDIR \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}\")
  configure_file(\"${CMAKE_SOURCE_DIR}/deploy/systemd/ternd.service.in\"
                 \"${CMAKE_BINARY_DIR}/generated/ternd.service\" @ONLY)
  file(INSTALL \"${CMAKE_BINARY_DIR}/generated/ternd.service\"
       DESTINATION \"\${CMAKE_INSTALL_PREFIX}/lib/systemd/system\")
  if(CMAKE_INSTALL_PREFIX STREQUAL \"/usr\" AND NOT \"\$ENV{DESTDIR}\" STREQUAL \"\")  # a package
    file(INSTALL \"${CMAKE_SOURCE_DIR}/deploy/debian/ternd.yaml\" DESTINATION /etc/tern)
    file(INSTALL \"${CMAKE_SOURCE_DIR}/LICENSE\"
         DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DOCDIR}\" RENAME copyright)
  endif()")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME tern)
set(CPACK_PACKAGE_VENDOR tern)
set(CPACK_PACKAGE_CONTACT "The tern authors <maintainers@tern.dev>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "LLM serving over gRPC and OpenAI's HTTP API")
set(CPACK_PACKAGE_DESCRIPTION
    "ternd serves language models from Hugging Face directories and GGUF files on\nCPUs; tern talks to it and measures it.")
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    "${CMAKE_SOURCE_DIR}/deploy/debian/conffiles;${CMAKE_SOURCE_DIR}/deploy/debian/postinst;${CMAKE_SOURCE_DIR}/deploy/debian/prerm;${CMAKE_SOURCE_DIR}/deploy/debian/postrm")
include(CPack)
