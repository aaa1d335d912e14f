# Seeded faults: the property test, linked with one faulty copy of one scheduler source, must fail. The
# product's sources stay clean; a fault whose text is no longer there breaks the build.
add_library(scheduler_property OBJECT ${CMAKE_CURRENT_LIST_DIR}/property_test.cpp)
target_link_libraries(scheduler_property PRIVATE tern_scheduler Catch2::Catch2)
target_compile_options(scheduler_property PRIVATE -O1)

# The control: the same program without a fault passes.
add_executable(fault_none $<TARGET_OBJECTS:scheduler_property>)
target_link_libraries(fault_none tern_scheduler Catch2::Catch2WithMain)
add_test(NAME "fault: none" COMMAND fault_none)
set_tests_properties("fault: none" PROPERTIES TIMEOUT 300 ENVIRONMENT TERN_PROPERTY_SCENARIOS=5000)

# scheduler_fault(<name> <file in scheduler/> <text, occurs once> <its replacement>)
function(scheduler_fault name source text replacement)
  string(MAKE_C_IDENTIFIER "fault_${name}" target)
  set(original ${CMAKE_SOURCE_DIR}/scheduler/${source})
  set(tool ${CMAKE_SOURCE_DIR}/tools/seed_fault.py)
  set(faulty ${CMAKE_CURRENT_BINARY_DIR}/faults/${target}.cpp)
  add_custom_command(
    OUTPUT ${faulty}
    COMMAND ${tool} ${original} ${text} ${replacement} ${faulty}
    DEPENDS ${original} ${tool}
    VERBATIM)
  # The faulty copy defines what the library's own object would, so the linker leaves that one out.
  add_executable(${target} ${faulty} $<TARGET_OBJECTS:scheduler_property>)
  target_link_libraries(${target} tern_scheduler Catch2::Catch2WithMain)
  add_test(NAME "fault: ${name}"
           COMMAND ${CMAKE_COMMAND} -D PROGRAM=$<TARGET_FILE:${target}>
                   -P ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/expect_failure.cmake)
  set_tests_properties("fault: ${name}" PROPERTIES TIMEOUT 300
                       ENVIRONMENT TERN_PROPERTY_SCENARIOS=5000)
endfunction()

scheduler_fault("leak on abort" scheduler.cpp
                "blocks.free(block)" "if (!entry.is_aborted) blocks.free(block)")
scheduler_fault("double free" block_manager.cpp
                "free_.push_back(block)" "free_.insert(free_.end(), 2, block)")
scheduler_fault("lost preemption cap" scheduler_plan.cpp
                "is_safe = seq.num_preemptions >= config.max_preemptions" "is_safe = false")
scheduler_fault("stale hash" prefix_cache.cpp "unlink(block);" "static_cast<void>(block);")
scheduler_fault("wrong ref-count" block_manager.cpp "++ref_counts_[block]" "ref_counts_[block] = 1")
scheduler_fault("skipped waiter" arrival_order.cpp
                "waiting_.begin()->second" "waiting_.rbegin()->second")
scheduler_fault("lost pause" scheduler.cpp "entry.is_paused = true;" "static_cast<void>(0);")
# These break no structure; only the content of blocks and the order of events show them.
scheduler_fault("unchained hash" prefix_cache.cpp
                "append(parent.data(), parent.size())" "append(parent.data(), 0)")
scheduler_fault("ignored salt" prefix_cache.cpp
                "append(salt.data(), salt.size())" "append(salt.data(), 0)")
scheduler_fault("hit covers the last token" scheduler_plan.cpp
                "(seq.num_tokens() - 1)" "seq.num_tokens()")
scheduler_fault("wrong victim" scheduler_plan.cpp
                "policy->before(*last->sequence, *entry->sequence)"
                "policy->before(*entry->sequence, *last->sequence)")
