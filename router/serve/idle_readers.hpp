#pragma once

#include <cstddef>

#include <boost/intrusive/list.hpp>

namespace router {

/// Sessions from which nothing is read now, since they have as much under way as they may: their
/// clients' end shows only to those who ask. Lives on one worker.
class IdleReaders {
 public:
  class Member : public boost::intrusive::list_base_hook<
                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
   public:
    /// It is not read from; it may leave the list by this, and others may.
    virtual void look_for_end() = 0;

   protected:
    ~Member() = default;
  };

  /// Nothing is read from it, or something again. O(1).
  void set(Member& member, bool idle) {
    if (idle && !member.is_linked())
      members_.push_back(member);
    else if (!idle && member.is_linked())
      member.unlink();
  }
  /// Asks some of them, in turn; all of a thousand in a quarter of a second, as the worker ticks.
  void tick() {
    for (std::size_t i = 0; i < kAtOnce && !members_.empty(); ++i) {
      Member& next = members_.front();
      next.unlink();
      members_.push_back(next);
      next.look_for_end();
    }
  }

 private:
  static constexpr std::size_t kAtOnce = 64;
  boost::intrusive::list<Member, boost::intrusive::constant_time_size<false>> members_;
};

}  // namespace router
