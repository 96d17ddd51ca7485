#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace test_support {

/// What a router answers to a command over its admin socket; waits for it. Throws
/// std::runtime_error where there is nobody, or where it dies before it answers.
nlohmann::json ask_admin(const std::string& socket, const std::string& command,
                         const nlohmann::json& arguments = nlohmann::json::object());

/// The same, for what must succeed: its result. Throws std::runtime_error with the refusal.
nlohmann::json tell_admin(const std::string& socket, const std::string& command,
                          const nlohmann::json& arguments = nlohmann::json::object());

}  // namespace test_support
