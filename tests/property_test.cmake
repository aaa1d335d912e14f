# Tests of random worlds, and seeded faults that they must find: the test, linked with one faulty copy of one
# source, must fail. The product's sources stay clean; a fault whose text is no longer there breaks the build.
set(property_test_dir ${CMAKE_CURRENT_LIST_DIR})
set(property_test_few TERN_PROPERTY_SCENARIOS=5000)

# property_test(<name> <library> <source>...): the program <name>_property. As ctest case it is the control of its
# faults: the same few worlds without one pass.
function(property_test name library)
  add_library(${name}_property_objects OBJECT ${ARGN})
  target_link_libraries(${name}_property_objects PRIVATE ${library} Catch2::Catch2)
  target_compile_options(${name}_property_objects PRIVATE -O1)
  set(target ${name}_property)
  add_executable(${target} $<TARGET_OBJECTS:${name}_property_objects>)
  target_link_libraries(${target} ${library} Catch2::Catch2WithMain)
  add_test(NAME "fault: ${name}, none" COMMAND ${target})
  set_tests_properties("fault: ${name}, none" PROPERTIES TIMEOUT 300 ENVIRONMENT ${property_test_few})
endfunction()

# property_fault(<test> <name> <source file> <text, occurs once> <its replacement>)
function(property_fault test name source text replacement)
  string(MAKE_C_IDENTIFIER "fault_${test}_${name}" target)
  set(original ${CMAKE_SOURCE_DIR}/${source})
  set(tool ${CMAKE_SOURCE_DIR}/tools/seed_fault.py)
  set(faulty ${CMAKE_CURRENT_BINARY_DIR}/faults/${target}.cpp)
  add_custom_command(
    OUTPUT ${faulty}
    COMMAND ${tool} ${original} "${text}" "${replacement}" ${faulty}
    DEPENDS ${original} ${tool}
    VERBATIM)
  # The faulty copy defines what the library's own object would, so the linker leaves that one out.
  add_executable(${target} ${faulty} $<TARGET_OBJECTS:${test}_property_objects>)
  target_link_libraries(${target} $<TARGET_PROPERTY:${test}_property,LINK_LIBRARIES>)
  add_test(NAME "fault: ${test}, ${name}"
           COMMAND ${CMAKE_COMMAND} -D PROGRAM=$<TARGET_FILE:${target}> -P ${property_test_dir}/expect_failure.cmake)
  set_tests_properties("fault: ${test}, ${name}" PROPERTIES TIMEOUT 300 ENVIRONMENT ${property_test_few})
endfunction()
