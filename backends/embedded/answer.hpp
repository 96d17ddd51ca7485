#pragma once

#include <string>
#include <string_view>

#include "backends/embedded/task.hpp"
#include "objects/result.hpp"

/// An RPC's answer as Fast payloads, sent to the worker that asked.
namespace backends::embedded {

/// A DATA message with one value, given as JSON. Counts towards the stream's unread bytes.
void send_value(const Task& task, std::string_view value);
/// DATA messages and END, or ERROR.
void answer(const Task& task, const objects::Result<objects::JsArray>& values);

/// LevelDB refused.
objects::Error store_failed(const std::string& what);

}  // namespace backends::embedded
