from pipelines.quality.stage import main

raise SystemExit(main())
