#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "router/app.hpp"
#include "tests/support/test_data.hpp"

/// A whole router in this process, with a small ring and embedded shards, that a fuzz target talks
/// to over real sockets. One for the process's life; one thread.
class ServingApp {
 public:
  static ServingApp& get();

  /// Sends bytes over a connection of their own, and ours is ended there; all that comes back.
  [[nodiscard]] std::string to_admin(std::string_view bytes) const;
  [[nodiscard]] std::string to_status_pages(std::string_view bytes) const;

 private:
  ServingApp();

  test_support::TemporaryDirectory directory_;
  std::unique_ptr<router::App> app_;
};
