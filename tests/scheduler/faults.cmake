property_test(scheduler tern_scheduler
              ${CMAKE_CURRENT_LIST_DIR}/property_test.cpp ${CMAKE_CURRENT_LIST_DIR}/property_checks.cpp)

property_fault(scheduler "leak on abort" scheduler/scheduler.cpp
               "blocks.free(block)" "if (!entry.is_aborted) blocks.free(block)")
property_fault(scheduler "double free" scheduler/block_manager.cpp
               "free_.push_back(block)" "free_.insert(free_.end(), 2, block)")
property_fault(scheduler "lost preemption cap" scheduler/scheduler_plan.cpp
               "entry.is_safe = seq.num_preemptions >= config.max_preemptions" "entry.is_safe = false")
property_fault(scheduler "stale hash" scheduler/prefix_cache.cpp "unlink(block);" "static_cast<void>(block);")
property_fault(scheduler "wrong ref-count" scheduler/block_manager.cpp "++ref_counts_[block]" "ref_counts_[block] = 1")
property_fault(scheduler "skipped waiter" scheduler/policies/arrival_order.cpp
               "waiting_.begin()->second" "waiting_.rbegin()->second")
property_fault(scheduler "reserved place given away" scheduler/policies/priority.cpp
               "seq.priority <= priority || reserved == 0" "seq.priority != PriorityClass::kBulk || reserved == 0")
property_fault(scheduler "lost pause" scheduler/scheduler.cpp "entry.is_paused = true;" "static_cast<void>(0);")
# These break no structure; only the content of blocks and the order of events show them.
property_fault(scheduler "unchained hash" scheduler/prefix_cache.cpp
               "append(parent.data(), parent.size())" "append(parent.data(), 0)")
property_fault(scheduler "ignored salt" scheduler/prefix_cache.cpp
               "append(salt.data(), salt.size())" "append(salt.data(), 0)")
property_fault(scheduler "hit covers the last token" scheduler/scheduler_plan.cpp
               "(seq.num_tokens() - 1)" "seq.num_tokens()")
property_fault(scheduler "wrong victim" scheduler/scheduler_plan.cpp
               "policy->before(*last->sequence, *entry->sequence)"
               "policy->before(*entry->sequence, *last->sequence)")
property_fault(scheduler "slot leaked on abort" scheduler/scheduler.cpp
               "free_slot(entry.sequence->state_slot);" "if (!entry.is_aborted) free_slot(entry.sequence->state_slot);")
property_fault(scheduler "slot not restored after a prefix hit" scheduler/scheduler_plan.cpp
               "plan.slot_copies.push_back({checkpoint, seq.state_slot});" "{}")
property_fault(scheduler "held blocks given away" scheduler/waiting.cpp
               "num_held_blocks <= config.num_blocks" "0 <= config.num_blocks")
property_fault(scheduler "passed over and forgotten" scheduler/scheduler_plan.cpp
               "if (num_skipped > 0) policy->restore();" "")
