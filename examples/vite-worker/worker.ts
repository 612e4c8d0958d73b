import { serve } from 'compconv-webgpu/worker';

serve();
