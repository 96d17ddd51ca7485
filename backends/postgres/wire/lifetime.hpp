#pragma once

#include <memory>
#include <utility>

namespace backends::postgres {

/// A member of what others call back later, or what calls others by whom it may end: says whether
/// it is still there. On one thread.
class Lifetime {
 public:
  Lifetime() = default;
  Lifetime(const Lifetime&) = delete;
  Lifetime& operator=(const Lifetime&) = delete;

  /// `call`, but nothing where the owner has ended by then.
  template <typename Call>
  [[nodiscard]] auto guard(Call call) const {
    return [watch = std::weak_ptr<char>(token_),
            call = std::move(call)]<typename... Arguments>(Arguments&&... arguments) mutable {
      if (!watch.expired()) call(std::forward<Arguments>(arguments)...);
    };
  }

  class Watch {
   public:
    explicit Watch(std::weak_ptr<char> token) : token_(std::move(token)) {}
    [[nodiscard]] bool over() const { return token_.expired(); }

   private:
    std::weak_ptr<char> token_;
  };
  /// For code that goes on after a call by which the owner may end.
  [[nodiscard]] Watch watch() const { return Watch(token_); }
  /// Before its time: nothing is called back any more.
  void end() { token_.reset(); }

 private:
  std::shared_ptr<char> token_ = std::make_shared<char>();
};

}  // namespace backends::postgres
