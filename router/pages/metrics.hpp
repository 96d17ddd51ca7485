#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "router/pages/pages.hpp"
#include "router/serve/cells.hpp"

namespace router {

/// What a scrape shows beside the workers' cells.
struct MetricsState {
  std::map<std::string, std::string> labels;  ///< of every series
  const PageState* page = nullptr;
  std::uint64_t log_lines_dropped = 0, log_lines_suppressed = 0;
};

/// All metrics in Prometheus' text format: the cells of all workers added up.
std::string metrics_text(const std::vector<std::unique_ptr<WorkerCells>>& cells,
                         const MetricsState& state);

}  // namespace router
